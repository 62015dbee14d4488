//! `quintet stop SERVICE`.

use crate::cli::Global;
use crate::program::Program;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// What to stop
    #[arg(value_name = "SERVICE")]
    service: Program,
}

impl Stop {
    pub(crate) async fn run(self, global: &Global) -> Result<ExitCode> {
        super::control(global, "stop", self.service, "is stopped").await
    }
}
