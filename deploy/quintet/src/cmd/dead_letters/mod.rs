//! `quintet dead-letters`.

mod discard;
mod list;
mod replay;
mod show;

use super::desk::{Desk, count, text};
use crate::cli::Global;
use crate::invocation;
use crate::program::Program;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::de::DeserializeOwned;
use std::process::ExitCode;
use uuid::Uuid;

#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what could not be applied, grouped by cause
    List(list::List),
    /// Show what is parked of an order, and why
    Show(show::Show),
    /// Try what is parked again, in order
    Replay(replay::Replay),
    /// Throw away the record that holds an order up
    Discard(discard::Discard),
}

impl DeadLetters {
    pub(crate) async fn run(self, global: &Global) -> Result<ExitCode> {
        match self.action {
            Action::List(list) => list.run(global).await,
            Action::Show(show) => show.run(global).await,
            Action::Replay(replay) => replay.run(global).await,
            Action::Discard(discard) => discard.run(global).await,
        }
    }
}

/// Which order, and where.
#[derive(Debug, Args)]
struct Which {
    /// The order's id; of a record that names no order, the id that `list` shows
    #[arg(value_name = "ORDER")]
    order: Uuid,
    /// Only what is parked in this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<Program>,
}

/// Asks every service about an order; those where nothing of it is parked say nothing.
async fn about<T: DeserializeOwned>(
    desk: &Desk,
    method: &Method,
    order: Uuid,
    action: &str,
) -> Result<Vec<(Program, T)>> {
    let mut found = Vec::new();
    for (service, admin) in &desk.services {
        let url = format!("{admin}/admin/dead-letters/{order}{action}");
        if let Some(answer) = desk.ask(*service, method.clone(), &url).await? {
            found.push((*service, answer));
        }
    }
    if found.is_empty() {
        let list = invocation::command("dead-letters list");
        bail!("nothing is parked of {order}; `{list}` says what is");
    }
    Ok(found)
}
