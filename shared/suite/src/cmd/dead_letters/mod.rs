//! `dead-letters`.

mod discard;
mod list;
mod replay;
mod show;

use crate::component::{Component, parse};
use crate::desk::{Answers, Desk, count, text};
use crate::invocation;
use crate::session::Session;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::de::DeserializeOwned;
use std::process::ExitCode;
use uuid::Uuid;

/// What `dead-letters` takes.
#[derive(Debug, Args)]
pub struct DeadLetters {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what could not be applied, grouped by cause
    List(list::List),
    /// Show what is parked of an aggregate, and why
    Show(show::Show),
    /// Try what is parked again, in order
    Replay(replay::Replay),
    /// Throw away the record that holds an aggregate up
    Discard(discard::Discard),
}

impl DeadLetters {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        match self.action {
            Action::List(list) => list.run(session).await,
            Action::Show(show) => show.run(session).await,
            Action::Replay(replay) => replay.run(session).await,
            Action::Discard(discard) => discard.run(session).await,
        }
    }
}

/// Of which aggregate, and where.
#[derive(Debug, Args)]
struct Which {
    /// The id of what the records are about; of a record that names nothing, the id that `list` shows
    #[arg(value_name = "ID")]
    aggregate: Uuid,
    /// Only what is parked in this service
    #[arg(long, value_name = "SERVICE", value_parser = parse)]
    service: Option<Component>,
}

/// Asks every service about an aggregate; those where nothing of it is parked say nothing.
async fn about<T: DeserializeOwned>(
    desk: &Desk,
    method: &Method,
    aggregate: Uuid,
    action: &str,
) -> Result<Answers<T>> {
    let ask = async |service, admin: &str| {
        let url = format!("{admin}/admin/dead-letters/{aggregate}{action}");
        desk.ask::<T>(service, method.clone(), &url).await
    };
    let Answers { found, silent } = desk.each(ask).await;
    let found = found.into_iter().filter_map(|(service, answer)| Some((service, answer?)));
    let answers = Answers { found: found.collect(), silent };
    if answers.found.is_empty() {
        let (list, limits) = (invocation::command("dead-letters list"), answers.limits());
        bail!("nothing is parked of {aggregate}{limits}; `{list}` says what is");
    }
    Ok(answers)
}
