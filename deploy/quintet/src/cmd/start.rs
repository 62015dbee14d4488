//! `quintet start SERVICE`.

use crate::cli::Global;
use crate::program::Program;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// What to start
    #[arg(value_name = "SERVICE")]
    service: Program,
}

impl Start {
    pub(crate) async fn run(self, global: &Global) -> Result<ExitCode> {
        super::control(global, "start", self.service, "is ready").await
    }
}
