//! `start SERVICE`: starts a stopped component of the running suite.

use super::steer;
use crate::component::{Component, parse};
use crate::session::Session;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// The arguments of `start`.
#[derive(Debug, Args)]
pub struct Start {
    /// What to start
    #[arg(value_name = "SERVICE", value_parser = parse)]
    service: Component,
}

impl Start {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        steer(session, "start", self.service, "is ready").await
    }
}
