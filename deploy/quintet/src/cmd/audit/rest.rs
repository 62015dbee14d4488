//! What there is to judge of a suite: all of it at rest, or a part.

mod part;

use crate::names;
use anyhow::{Context, Result};
use audit::{Addresses, Depth, Ledger, Snapshot, Status};
pub(super) use part::Part;
use quintet_suite::http::Api;
use quintet_suite::rest::{self, Rest, Seen, Still};
use quintet_suite::ui::Ui;
use quintet_suite::{Suite, explain};
use std::time::Duration;

/// How often to look for a moment at which nothing moves, once there is no time to wait for rest.
const LOOKS: usize = 5;
/// All rows of a large suite in pages, and its whole ledger.
const LONG_ANSWER: Duration = Duration::from_mins(1);

/// What there is to judge.
#[derive(Debug)]
pub(super) enum Finding {
    /// The suite as it stands, and nothing happens.
    Still(Box<Snapshot>),
    /// It is not at rest: why, a line each, and how those stand that answer, if nothing moved for a moment.
    Moving(Vec<String>, Option<Box<Part>>),
}

/// Asks all services of a suite, and the sandbox.
#[derive(Debug)]
pub(super) struct Auditor {
    addresses: Addresses,
    rest: Rest,
    /// One that waits for long answers.
    patient: Api,
    client: reqwest::Client,
}

impl Auditor {
    /// # Errors
    /// When the client cannot be set up.
    pub(super) fn of(suite: &Suite, api: Api) -> Result<Self> {
        let addresses = serde_json::to_value(suite).and_then(serde_json::from_value);
        let addresses = addresses.context("up.json was not written by this version")?;
        let client = reqwest::Client::builder().no_proxy().timeout(LONG_ANSWER).build()?;
        let (rest, patient) = (Rest::of(suite, api)?, Api::waiting(LONG_ANSWER)?);
        Ok(Self { addresses, rest, patient, client })
    }

    /// Waits so long at most until nothing happens.
    pub(super) async fn wait(&self, wait: Duration, ui: &Ui) -> Finding {
        let mut waiting = match self.rest.wait(wait, ui, async || self.snapshot().await).await {
            Seen::Still(Still { mut collected, statuses }) => {
                // Also of services that the audit knows nothing else of.
                let statuses = statuses.iter().map(|(name, it)| (name.to_string(), status(it)));
                collected.status = statuses.collect();
                return Finding::Still(collected);
            }
            Seen::Moving(waiting) => waiting,
        };
        // A few times: what is on its way may commit a batch at any time.
        for _ in 0..LOOKS {
            if let Some(part) = self.part().await {
                let silent = part.silent.values().filter(|why| !waiting.contains(why));
                waiting.extend(silent.cloned().collect::<Vec<_>>());
                return Finding::Moving(waiting, Some(Box::new(part)));
            }
        }
        Finding::Moving(waiting, None)
    }

    async fn snapshot(&self) -> Result<Box<Snapshot>, String> {
        match audit::collect(&self.client, &self.addresses).await {
            Ok(snapshot) => Ok(Box::new(snapshot)),
            // The services have just answered.
            Err(error) => {
                let why = self.rest.why_down(names::sandbox()).await;
                Err(why.unwrap_or_else(|| explain(&error.into())))
            }
        }
    }

    async fn ledger(&self) -> Result<Ledger, String> {
        let url = format!("{}/ledger", self.addresses.sandbox.url);
        match self.patient.get(&url).await {
            Ok(ledger) => Ok(ledger),
            Err(error) => Err(self.rest.why_silent(names::sandbox().into(), &error).await),
        }
    }
}

/// The same in the words of the audit, which shares no types with what it judges.
fn status(status: &rest::Status) -> Status {
    let depth = |it: rest::Depth| Depth { depth: it.depth };
    Status {
        turns: status.turns,
        duplicates: status.duplicates,
        outbox: depth(status.outbox),
        effects: depth(status.effects),
        alarms: depth(status.alarms),
        parked: depth(status.parked),
        lag: status.lag,
    }
}
