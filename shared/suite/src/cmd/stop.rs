//! `stop SERVICE`: stops a component of the running suite.

use super::steer;
use crate::component::{Component, parse};
use crate::session::Session;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// The arguments of `stop`.
#[derive(Debug, Args)]
pub struct Stop {
    /// What to stop
    #[arg(value_name = "SERVICE", value_parser = parse)]
    service: Component,
}

impl Stop {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        steer(session, "stop", self.service, "is stopped").await
    }
}
