//! Takes a snapshot of a running suite over HTTP.

use std::{collections::BTreeMap, path::Path};

use reqwest::Client;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Ledger, Row, Snapshot, Status};

/// Rows per page: few pages, none of which takes long.
const PAGE: usize = 2_000;

/// The addresses of a suite: the part of `up.json` that the audit needs.
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

/// The addresses of a service's admin listeners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceUrls {
    /// The address of the first replica, such as `http://127.0.0.1:8180`.
    pub admin_url: String,
    /// The addresses of all replicas; empty if there is only one.
    #[serde(default)]
    pub replicas: Vec<AdminUrl>,
}

/// The address of a replica's admin listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminUrl {
    /// Such as `http://127.0.0.1:8180`.
    pub admin_url: String,
}

/// The address of the sandbox.
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
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A request failed.
    #[error("GET {url}: {source}")]
    Http {
        /// The URL.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// An answer has another form than the audit knows.
    #[error("GET {url} answers something unknown: {source}")]
    Unknown {
        /// The URL.
        url: String,
        /// What is wrong with the answer.
        source: serde_json::Error,
    },
}

impl Addresses {
    /// Reads a suite's `up.json`.
    ///
    /// # Errors
    /// [`CollectError::File`] if the file cannot be read or does not describe a suite.
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
    /// The admin addresses of all replicas.
    fn all(&self) -> Vec<&str> {
        if self.replicas.is_empty() {
            return vec![&self.admin_url];
        }
        self.replicas.iter().map(|replica| replica.admin_url.as_str()).collect()
    }
}

/// Takes a snapshot: first the services' queues, then their rows, then the ledger.
///
/// # Errors
/// If a service or the sandbox does not answer, or answers in an unknown form.
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
        // Needs no escaping: keys are UUIDs and SKUs, and table names are plain words.
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
