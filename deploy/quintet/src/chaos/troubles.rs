//! How the outside world misbehaves: the sandbox takes the whole of it at once.

use super::act::{Fault, Provider};
use quintet_suite::http::{self, Api, Request};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;

/// The sandbox may be dead or hanging for a while.
const PATIENCE: Duration = Duration::from_mins(1);

/// The sandbox's knobs.
#[derive(Debug)]
pub(super) struct Troubles {
    url: String,
    api: Api,
    seed: u64,
    /// Whose trouble is the latest of each provider, and what it is.
    now: Mutex<BTreeMap<Provider, (usize, Fault)>>,
}

impl Troubles {
    /// None yet, at a sandbox whose dice begin with this seed.
    pub(super) fn at(sandbox: &str, api: Api, seed: u64) -> Self {
        Self { url: format!("{sandbox}/faults"), api, seed, now: Mutex::default() }
    }

    /// From now on a provider misbehaves so; `nth` tells this trouble from others.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(super) async fn begin(
        &self,
        nth: usize,
        provider: Provider,
        fault: Fault,
    ) -> Result<(), http::Error> {
        let mut now = self.now.lock().await;
        now.insert(provider, (nth, fault));
        self.tell(&now).await
    }

    /// The nth trouble of a provider is over; one that came later goes on.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(super) async fn end(&self, nth: usize, provider: Provider) -> Result<(), http::Error> {
        let mut now = self.now.lock().await;
        if now.get(&provider).is_some_and(|(latest, _)| *latest == nth) {
            now.remove(&provider);
        }
        self.tell(&now).await
    }

    /// All is well again.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(super) async fn heal(&self) -> Result<(), http::Error> {
        let mut now = self.now.lock().await;
        now.clear();
        self.tell(&now).await
    }

    async fn tell(&self, now: &BTreeMap<Provider, (usize, Fault)>) -> Result<(), http::Error> {
        let knobs = now.iter().map(|(it, (_, fault))| (it.name().to_owned(), fault.knobs()));
        let mut body: Map<String, Value> = knobs.collect();
        body.insert("seed".to_owned(), json!(self.seed));
        let (method, body) = (Method::PUT, Value::Object(body));
        let put = Request { method, url: &self.url, body: Some(&body), idempotency_key: None };
        self.api.send_until_answered::<Value>(&put, PATIENCE).await.map(drop)
    }
}
