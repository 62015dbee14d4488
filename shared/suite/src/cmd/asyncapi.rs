//! `asyncapi`.

use crate::ui;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// What `asyncapi` takes.
#[derive(Debug, Args)]
pub struct AsyncApi {}

impl AsyncApi {
    /// The document is JSON with and without `--json`.
    pub(crate) fn run(self, document: Option<Value>) -> Result<ExitCode> {
        let Self {} = self;
        let document = document.context("this program has no service, so that it has no events")?;
        ui::result(&serde_json::to_string_pretty(&document)?);
        Ok(ExitCode::SUCCESS)
    }
}
