use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

/// How long a request of the well-behaved client may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two of its requests.
const PAUSE: Duration = Duration::from_millis(20);
/// The id of an order that does not exist. Looking it up takes a read of the database.
const UNKNOWN_ORDER: &str = "018f3a5c-1b2d-7c3e-8f40-112233445566";

/// A well-behaved client. Each of its requests opens a connection, and its answer is read.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

/// What a well-behaved client measured.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// How long its requests took, in ascending order.
    pub took: Vec<Duration>,
    /// How many of them got a 5xx, a 429 or no answer.
    pub failed: usize,
}

impl Measured {
    /// The time within which this percentage of the requests was answered.
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

    /// The newest order, if there is one.
    pub(crate) async fn order(&self) -> Result<Option<String>> {
        let listed = self.http.get(format!("{}/orders?limit=1", self.base)).send().await?;
        let listed: Value = listed.json().await.unwrap_or_default();
        Ok(listed["orders"][0]["id"].as_str().map(ToOwned::to_owned))
    }

    /// Requests readiness and an order in turn for this long, and measures both.
    pub(crate) async fn measure(&self, long: Duration) -> Measured {
        let begun = Instant::now();
        let mut measured = Measured::default();
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let paths = ["/health/ready".to_owned(), format!("/orders/{UNKNOWN_ORDER}")];
        for path in paths.iter().cycle() {
            ticks.tick().await;
            if begun.elapsed() >= long {
                break;
            }
            let sent = Instant::now();
            let answered = self.http.get(format!("{}{path}", self.base)).send().await;
            measured.took.push(sent.elapsed());
            let is_served = answered.is_ok_and(|answer| {
                let status = answer.status();
                !status.is_server_error() && status != reqwest::StatusCode::TOO_MANY_REQUESTS
            });
            measured.failed += usize::from(!is_served);
        }
        measured.took.sort();
        measured
    }
}
