//! Collects the rows that the audit judges: a snapshot of the whole suite at rest, or a partial one.

mod partial;

use crate::names;
use anyhow::{Context, Result};
use audit::{Addresses, Depth, Ledger, Snapshot, Status};
pub(super) use partial::PartialSnapshot;
use quintet_suite::http::Api;
use quintet_suite::rest::{self, Rest, Seen, Still};
use quintet_suite::ui::Ui;
use quintet_suite::{Suite, explain};
use std::time::Duration;

/// How often a partial snapshot is tried once the time to wait for rest is over.
const ATTEMPTS: usize = 5;
/// How long the pages with all rows of a large suite and its whole ledger may take.
const LONG_ANSWER: Duration = Duration::from_mins(1);

/// What was collected of a suite.
#[derive(Debug)]
pub(super) enum Collected {
    /// The suite was at rest.
    AtRest(Box<Snapshot>),
    /// It was not at rest.
    NotAtRest {
        /// The reasons, a line each.
        waiting: Vec<String>,
        /// The rows of the programs that answer, if none of them did anything while they were collected.
        partial: Option<Box<PartialSnapshot>>,
    },
}

/// Asks all services of a suite, and the sandbox.
#[derive(Debug)]
pub(super) struct Auditor {
    addresses: Addresses,
    rest: Rest,
    /// A client with a long time-out.
    patient: Api,
    client: reqwest::Client,
}

impl Auditor {
    /// # Errors
    /// When an HTTP client cannot be set up.
    pub(super) fn of(suite: &Suite, api: Api) -> Result<Self> {
        let addresses = serde_json::to_value(suite).and_then(serde_json::from_value);
        let addresses = addresses.context("up.json was not written by this version")?;
        let client = reqwest::Client::builder().no_proxy().timeout(LONG_ANSWER).build()?;
        let (rest, patient) = (Rest::of(suite, api)?, Api::waiting(LONG_ANSWER)?);
        Ok(Self { addresses, rest, patient, client })
    }

    /// Waits for rest, at most for this time, and collects a snapshot.
    pub(super) async fn collect(&self, wait: Duration, ui: &Ui) -> Collected {
        let mut waiting = match self.rest.wait(wait, ui, async || self.snapshot().await).await {
            Seen::Still(Still { mut collected, statuses }) => {
                // The audit knows the rows of the five services only. A suite may have more services, and their queues
                // must be empty too.
                let statuses = statuses.iter().map(|(name, it)| (name.to_string(), status(it)));
                collected.status = statuses.collect();
                return Collected::AtRest(collected);
            }
            Seen::Moving(waiting) => waiting,
        };
        // An attempt fails if a batch commits while it lasts. So a busy suite needs several.
        for _ in 0..ATTEMPTS {
            if let Some(partial) = self.partial_snapshot().await {
                let silent = partial.silent.values().filter(|why| !waiting.contains(why));
                waiting.extend(silent.cloned().collect::<Vec<_>>());
                return Collected::NotAtRest { waiting, partial: Some(Box::new(partial)) };
            }
        }
        Collected::NotAtRest { waiting, partial: None }
    }

    async fn snapshot(&self) -> Result<Box<Snapshot>, String> {
        match audit::collect(&self.client, &self.addresses).await {
            Ok(snapshot) => Ok(Box::new(snapshot)),
            // The services have just answered, so most likely the sandbox is down.
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

/// Converts a status to the audit's own type: the audit shares no types with the services that it judges.
fn status(status: &rest::Status) -> Status {
    let depth = |queue: rest::Depth| Depth { depth: queue.depth };
    Status {
        batches: status.batches,
        duplicates: status.duplicates,
        outbox: depth(status.outbox),
        effects: depth(status.effects),
        alarms: depth(status.alarms),
        parked: depth(status.parked),
        lag: status.lag,
    }
}
