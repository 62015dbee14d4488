//! `quintet completions SHELL`.

use crate::cli::{Cli, Global};
use crate::ui;
use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, global: &Global) -> Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "quintet", &mut script);
        let script = String::from_utf8(script).context("the script is not UTF-8")?;
        let json = || json!({"shell": self.shell.to_string(), "script": script}).to_string();
        ui::result(&if global.json { json() } else { script.trim_end().to_owned() });
        Ok(ExitCode::SUCCESS)
    }
}
