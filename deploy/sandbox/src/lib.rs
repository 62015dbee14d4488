//! The outside world of Quintet: a payment gateway, a carrier and a mail sink, with one durable
//! ledger of everything they did and knobs to make them fail.
//!
//! An answer is sent only after its ledger row is committed. So an audit can rely on the ledger for the
//! providers' side, whichever process was killed.

pub mod carrier;
pub mod faults;
mod http;
pub mod ledger;
mod mail;
pub mod payment;
pub mod problem;
mod process;
mod smtp;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use edge::{Hosts, Limits, Listener, Proxies, Server};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

pub use process::{Arguments, main};

use crate::faults::Faults;
use crate::ledger::{Closing, Ledger, LedgerError};

/// How long open requests may take to end when the sandbox stops.
const DRAIN: Duration = Duration::from_secs(8);

/// Where the sandbox listens and keeps its ledger.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address for HTTP; port 0 takes a free port.
    pub listen: SocketAddr,
    /// The address for SMTP; port 0 takes a free port.
    pub smtp: SocketAddr,
    /// The directory of `sandbox.db`, created if missing.
    pub data: PathBuf,
}

/// Why the sandbox did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data directory cannot be created.
    #[error("cannot create the data directory {path}: {source}; choose another with --data")]
    Data {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The ledger cannot be opened.
    #[error("{0}; choose another directory with --data")]
    Ledger(#[from] LedgerError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {protocol}: {source}; choose another with {flag}")]
    Listen {
        /// HTTP or SMTP.
        protocol: &'static str,
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// The state that all requests share.
struct Desk {
    ledger: Ledger,
    faults: Faults,
    planning: Mutex<()>,
}

/// The running sandbox.
#[derive(Debug)]
pub struct Sandbox {
    http: SocketAddr,
    smtp: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
    ledger: Closing,
}

impl Sandbox {
    /// Opens the ledger and serves until [`Sandbox::stop`].
    ///
    /// # Errors
    /// If the data directory or an address cannot be used.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let listener = listen("HTTP", config.listen, "--listen").await?;
        let mail_listener = listen("SMTP", config.smtp, "--smtp").await?;
        std::fs::create_dir_all(&config.data)
            .map_err(|source| StartError::Data { path: config.data.clone(), source })?;
        let (ledger, closing) = Ledger::open(&config.data.join("sandbox.db")).await?;
        let desk = Arc::new(Desk {
            faults: Faults::new(ledger.faults().await?),
            ledger,
            planning: Mutex::new(()),
        });
        let (stop, stopped) = watch::channel(false);
        let http = listener.local_addr().unwrap_or(config.listen);
        let smtp = mail_listener.local_addr().unwrap_or(config.smtp);
        let tasks = [
            tokio::spawn(serve_http(listener, Arc::clone(&desk), stopped.clone())),
            tokio::spawn(smtp::serve(mail_listener, desk, stopped)),
        ];
        Ok(Self { http, smtp, stop, tasks, ledger: closing })
    }

    /// The address at which HTTP is served.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// The address at which SMTP is served.
    #[must_use]
    pub fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    /// Ends open requests, commits what is queued and closes the ledger. Takes at most about 10 s.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let drained = futures::future::join_all(self.tasks);
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("stopped with requests still open");
        }
        self.ledger.close().await;
    }
}

async fn listen(
    protocol: &'static str,
    address: SocketAddr,
    flag: &'static str,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen {
        protocol,
        address,
        flag,
        source,
    })
}

async fn serve_http(socket: TcpListener, desk: Arc<Desk>, stopped: watch::Receiver<bool>) {
    let router = http::router(desk, Hosts::private(&[]));
    let limits = Limits::default();
    // Its clients are services, and each of them has many connections.
    let server = Server::new(Proxies::default());
    server.serve(Listener { name: "sandbox", socket, limits, router }, stopped).await;
}

/// Waits until the sandbox is to stop.
async fn end(mut stopped: watch::Receiver<bool>) {
    // An error means that the handle was dropped, which also ends the sandbox.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// A provider's own reference. It is derived from the key, so that a repeat has the same one.
fn reference(prefix: &str, key: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(key);
    digest[..10].iter().fold(prefix.to_owned(), |mut reference, byte| {
        // Writing to a string cannot fail.
        let _ = write!(reference, "{byte:02x}");
        reference
    })
}
