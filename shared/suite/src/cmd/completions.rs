//! `completions SHELL`: prints the completion script of a shell.

use crate::invocation;
use crate::session::Session;
use crate::ui;
use anyhow::{Context, Result};
use clap::Args;
use clap_complete::Shell;
use serde_json::json;
use std::process::ExitCode;

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, session: &Session, mut command: clap::Command) -> Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, invocation::name(), &mut script);
        let script = String::from_utf8(script).context("the script is not UTF-8")?;
        let json = || json!({"shell": self.shell.to_string(), "script": script}).to_string();
        ui::result(&if session.json { json() } else { script.trim_end().to_owned() });
        Ok(ExitCode::SUCCESS)
    }
}
