//! `quintet dead-letters`.

mod discard;
mod list;
mod replay;
mod show;

use super::desk::{Answers, Desk, count, text};
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
) -> Result<Answers<T>> {
    let ask = async |service, admin: &str| {
        let url = format!("{admin}/admin/dead-letters/{order}{action}");
        desk.ask::<T>(service, method.clone(), &url).await
    };
    let Answers { found, silent } = desk.each(ask).await;
    let found = found.into_iter().filter_map(|(service, answer)| Some((service, answer?)));
    let answers = Answers { found: found.collect(), silent };
    if answers.found.is_empty() {
        let (list, limits) = (invocation::command("dead-letters list"), answers.limits());
        bail!("nothing is parked of {order}{limits}; `{list}` says what is");
    }
    Ok(answers)
}
