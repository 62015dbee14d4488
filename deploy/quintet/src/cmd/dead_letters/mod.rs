//! `quintet dead-letters`.

mod discard;
mod list;
mod replay;
mod show;

use crate::cli::Global;
use crate::http::{Api, Error, Request};
use crate::invocation;
use crate::program::Program;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
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

/// The admin listeners of the services that are asked.
struct Desk {
    api: Api,
    services: Vec<(Program, String)>,
}

impl Desk {
    async fn of(global: &Global, only: Option<Program>) -> Result<Self> {
        if only == Some(Program::Sandbox) {
            bail!("the sandbox is no service: nothing is parked there");
        }
        let (suite, api) = super::running(global).await?;
        let services = suite.services.iter().filter(|(name, _)| only.is_none_or(|it| it == **name));
        let services = services.map(|(name, service)| (*name, service.admin_url.clone()));
        Ok(Self { api, services: services.collect() })
    }

    /// Asks every service about an order; those where nothing of it is parked say nothing.
    async fn about<T: DeserializeOwned>(
        &self,
        method: &Method,
        order: Uuid,
        action: &str,
    ) -> Result<Vec<(Program, T)>> {
        let mut found = Vec::new();
        for (service, admin) in &self.services {
            let url = format!("{admin}/admin/dead-letters/{order}{action}");
            if let Some(answer) = self.ask(*service, method.clone(), &url).await? {
                found.push((*service, answer));
            }
        }
        if found.is_empty() {
            let list = invocation::command("dead-letters list");
            bail!("nothing is parked of {order}; `{list}` says what is");
        }
        Ok(found)
    }

    /// One service's answer; `None` where it knows of nothing.
    async fn ask<T: DeserializeOwned>(
        &self,
        service: Program,
        method: Method,
        url: &str,
    ) -> Result<Option<T>> {
        let request = Request { method, url, body: None, idempotency_key: None };
        match self.api.send(&request, None).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error).with_context(|| service.name()),
        }
    }
}

/// A text of an answer; empty where there is none.
fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// `1 letter`, `2 letters`
fn count(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
