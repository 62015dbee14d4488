//! Asking a running suite.

use std::{collections::BTreeMap, path::Path};

use reqwest::Client;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Ledger, Row, Snapshot, Status};

/// Rows of one answer: few answers, none so large that it takes long.
const PAGE: usize = 2_000;

/// Where a suite answers: what `up.json` says, as far as an auditor asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named after the programs")]
pub struct Addresses {
    pub order: ServiceUrls,
    pub inventory: ServiceUrls,
    pub payment: ServiceUrls,
    pub shipping: ServiceUrls,
    pub notification: ServiceUrls,
    pub sandbox: PublicUrl,
}

/// Where a service's admin listeners are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceUrls {
    /// Such as `http://127.0.0.1:8180`; the first replica's.
    pub admin_url: String,
    /// Every replica's; none are given where there is one.
    #[serde(default)]
    pub replicas: Vec<AdminUrl>,
}

/// Where a replica's admin listener is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminUrl {
    /// Such as `http://127.0.0.1:8180`.
    pub admin_url: String,
}

/// Where the outside world is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicUrl {
    /// Such as `http://127.0.0.1:8090`.
    pub url: String,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The suite's file cannot be read.
    #[error("cannot read {path}: {why}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// Nobody answers, or not with what was asked for.
    #[error("GET {url}: {source}")]
    Http {
        /// What was asked.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// A row is none that the auditor knows.
    #[error("GET {url} answers something unknown: {source}")]
    Unknown {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Addresses {
    /// Reads a suite's `up.json`.
    ///
    /// # Errors
    /// [`CollectError::File`] if it is not there, or describes no suite.
    pub fn read(up_json: &Path) -> Result<Self, CollectError> {
        let failed = |why: String| CollectError::File { path: up_json.display().to_string(), why };
        let text = std::fs::read(up_json).map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))
    }

    fn services(&self) -> [(&'static str, &ServiceUrls); 5] {
        [
            ("order", &self.order),
            ("inventory", &self.inventory),
            ("payment", &self.payment),
            ("shipping", &self.shipping),
            ("notification", &self.notification),
        ]
    }
}

impl ServiceUrls {
    /// Every replica's.
    fn all(&self) -> Vec<&str> {
        if self.replicas.is_empty() {
            return vec![&self.admin_url];
        }
        self.replicas.iter().map(|replica| replica.admin_url.as_str()).collect()
    }
}

/// Takes a snapshot: the services' queues first, then their rows, then the ledger.
///
/// # Errors
/// If anybody does not answer, or with something unknown.
pub async fn collect(client: &Client, suite: &Addresses) -> Result<Snapshot, CollectError> {
    let mut snapshot = Snapshot { status: statuses(client, suite).await?, ..Snapshot::default() };
    for (_, service) in suite.services() {
        rows(client, &service.admin_url, &mut snapshot).await?;
    }
    snapshot.ledger = get::<Ledger>(client, &format!("{}/ledger", suite.sandbox.url)).await?;
    Ok(snapshot)
}

async fn statuses(
    client: &Client,
    suite: &Addresses,
) -> Result<BTreeMap<String, Status>, CollectError> {
    let mut statuses = BTreeMap::new();
    for (name, service) in suite.services() {
        let mut replicas: Vec<Status> = Vec::new();
        for admin in service.all() {
            replicas.push(get(client, &format!("{admin}/admin/status")).await?);
        }
        statuses.extend(Status::of_group(replicas).map(|status| (name.to_owned(), status)));
    }
    Ok(statuses)
}

#[derive(Deserialize)]
struct Page {
    rows: Vec<Row>,
    next: Option<String>,
}

async fn rows(client: &Client, admin: &str, into: &mut Snapshot) -> Result<(), CollectError> {
    let mut after = String::new();
    loop {
        // Keys are UUIDs and SKUs, table names are words: nothing in them needs escaping.
        let url = format!("{admin}/admin/rows?limit={PAGE}{after}");
        let page: Page = get(client, &url).await?;
        for row in page.rows {
            into.add(row);
        }
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(()),
        }
    }
}

async fn get<T: DeserializeOwned>(client: &Client, url: &str) -> Result<T, CollectError> {
    let failed = |source| CollectError::Http { url: url.to_owned(), source };
    let answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
    let body = answer.map_err(failed)?.bytes().await.map_err(failed)?;
    let unknown = |source| CollectError::Unknown { url: url.to_owned(), source };
    serde_json::from_slice(&body).map_err(unknown)
}
