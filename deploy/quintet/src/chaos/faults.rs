//! The faults that the sandbox injects. `PUT /faults` replaces all of them, so the present faults of all providers are kept
//! here.

use super::action::{Fault, Provider};
use quintet_suite::http::{self, Api, Request};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a request to the sandbox is repeated. The run may have killed or stopped the sandbox too.
const PATIENCE: Duration = Duration::from_mins(1);

/// The present faults of the providers of one sandbox.
#[derive(Debug)]
pub(super) struct ProviderFaults {
    url: String,
    api: Api,
    seed: u64,
    present: Mutex<BTreeMap<Provider, PresentFault>>,
}

/// The fault that began last at a provider.
#[derive(Debug)]
struct PresentFault {
    /// The number of the action that began it.
    began_by: usize,
    fault: Fault,
}

impl ProviderFaults {
    /// No faults, at a sandbox that draws failing requests from this seed.
    pub(super) fn at(sandbox: &str, api: Api, seed: u64) -> Self {
        Self { url: format!("{sandbox}/faults"), api, seed, present: Mutex::default() }
    }

    /// Begins the fault of the nth action. It replaces an earlier fault of the provider.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(super) async fn begin(
        &self,
        nth: usize,
        provider: Provider,
        fault: Fault,
    ) -> Result<(), http::Error> {
        let mut present = self.present.lock().await;
        present.insert(provider, PresentFault { began_by: nth, fault });
        self.put(&present).await
    }

    /// Ends the fault of the nth action, unless a later action has replaced it.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(super) async fn end(&self, nth: usize, provider: Provider) -> Result<(), http::Error> {
        let mut present = self.present.lock().await;
        if present.get(&provider).is_some_and(|present| present.began_by == nth) {
            present.remove(&provider);
        }
        self.put(&present).await
    }

    /// Ends all faults.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub(super) async fn end_all(&self) -> Result<(), http::Error> {
        let mut present = self.present.lock().await;
        present.clear();
        self.put(&present).await
    }

    async fn put(&self, present: &BTreeMap<Provider, PresentFault>) -> Result<(), http::Error> {
        let faults = present.iter();
        let faults = faults.map(|(it, present)| (it.name().to_owned(), present.fault.knobs()));
        let mut body: Map<String, Value> = faults.collect();
        body.insert("seed".to_owned(), json!(self.seed));
        let (method, body) = (Method::PUT, Value::Object(body));
        let put = Request { method, url: &self.url, body: Some(&body), idempotency_key: None };
        self.api.send_until_answered::<Value>(&put, PATIENCE).await.map(drop)
    }
}
