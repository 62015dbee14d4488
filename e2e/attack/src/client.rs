use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

/// How long a request of the good client may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two of its requests.
const PAUSE: Duration = Duration::from_millis(20);
/// An order that does not exist: looking for it takes a read of the database.
const NOBODY: &str = "018f3a5c-1b2d-7c3e-8f40-112233445566";

/// A client with good manners: each request has a connection of its own, and reads its answer.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

/// What it met.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// How long its requests took, in order of size.
    pub took: Vec<Duration>,
    /// How many got a 5xx, 429 or no answer.
    pub failed: usize,
}

impl Measured {
    /// The time that this share of the requests took at most.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let last = self.took.len().checked_sub(1)?;
        self.took.get((self.took.len() * percent / 100).min(last)).copied()
    }
}

impl Client {
    pub(crate) fn new(against: SocketAddr) -> Result<Self> {
        let http =
            reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0).no_proxy();
        Ok(Self { http: http.build()?, base: format!("http://{against}") })
    }

    /// The newest order there is, if any.
    pub(crate) async fn order(&self) -> Result<Option<String>> {
        let listed = self.http.get(format!("{}/orders?limit=1", self.base)).send().await?;
        let listed: Value = listed.json().await.unwrap_or_default();
        Ok(listed["orders"][0]["id"].as_str().map(ToOwned::to_owned))
    }

    /// Asks in turn for readiness and for an order, for this long.
    pub(crate) async fn measure(&self, long: Duration) -> Measured {
        let begun = Instant::now();
        let mut measured = Measured::default();
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let paths = ["/health/ready".to_owned(), format!("/orders/{NOBODY}")];
        for path in paths.iter().cycle() {
            ticks.tick().await;
            if begun.elapsed() >= long {
                break;
            }
            let asked = Instant::now();
            let answered = self.http.get(format!("{}{path}", self.base)).send().await;
            measured.took.push(asked.elapsed());
            let fine = answered.is_ok_and(|answer| {
                let status = answer.status();
                !status.is_server_error() && status != reqwest::StatusCode::TOO_MANY_REQUESTS
            });
            measured.failed += usize::from(!fine);
        }
        measured.took.sort();
        measured
    }
}
