//! Runs a participant as a process: configuration, the HTTP and admin listeners, health, logs, traces, metrics and
//! signals around its engine.
//!
//! A program with one service calls `service::main::<Booking>()`. A program with several services calls
//! `service::main_with::<Booking>(…)` for the service that its command line names. Both document what happens at the
//! start and the end.

mod address;
mod admin;
mod config;
mod dead_letters;
mod describe;
mod effects;
mod exit;
pub mod http;
mod leash;
mod listeners;
mod mailbox;
mod openapi;
mod outside;
mod page;
mod router;
mod run;
mod running;
mod servers;
mod telemetry;

use std::{future::Future, ops::Deref, sync::Arc};

use bus::Bus;
use clock::{Clock, Random};
use engine::{Commands, Engine, Outside, Participant};
use event::Versions;
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use store::{Db, Migrations, StoreError};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;

pub use address::provider_url;
pub use admin::{Listed, TableOf};
pub use config::{Config, Http, NoConfig, seconds};
pub use describe::{Description, describe};
pub use exit::Exit;
pub use leash::shutdown_signal;
pub use mailbox::{mail_domain, mailbox};
pub use openapi::common_answers;
pub use outside::{Reference, UnusableReference, answer, client, no_answer};
pub use router::{admin_router, public_router};
pub use run::{Arguments, main, main_with};
pub use telemetry::{Figure, Sampling, Telemetry};

/// Events are many small allocations, on which glibc's allocator spends a quarter of a busy service's CPU time.
/// jemalloc also serves librdkafka, and returns memory to the system after a burst.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A participant as a process.
pub trait Service: Participant {
    /// The service's commented `config.toml`: its own settings with their defaults, `listen` and `admin_listen` among
    /// them. It may override the settings that all services have, whose defaults are in `config.toml` of this crate.
    const CONFIG: &'static str;

    /// The paths below which a web page of an origin in `cors.origins` may change something. It may read all public
    /// routes.
    const WRITABLE_BY_PAGES: &'static [&'static str] = &[];

    /// The service's own settings, beside those that all services have.
    type Config: DeserializeOwned + Send + Sync + 'static;

    /// Makes the participant and its access to the outside world. It is called twice: to check the settings, and to
    /// run. It should not ask a server, which may be away during the check.
    ///
    /// # Errors
    /// If a setting cannot be used; the error names the setting.
    fn open(config: &Self::Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)>;

    /// The migrations that make the service's own tables. Their versions begin with 1000; those of the engine are
    /// smaller.
    fn migrations() -> Migrations;

    /// The service's public routes; none by default.
    #[must_use]
    fn routes() -> OpenApiRouter<App<Self>> {
        OpenApiRouter::default()
    }

    /// The service's own admin routes, beside those that all services have; none by default.
    #[must_use]
    fn admin_routes() -> OpenApiRouter<App<Self>> {
        OpenApiRouter::default()
    }

    /// Registers the service's own metrics, beside those that all services have.
    fn register(&self, _registry: &mut Registry) {}

    /// The service's own figures that `/metrics` reads from the database.
    #[must_use]
    fn figures(_db: &Db) -> impl Future<Output = Result<Vec<Figure>, StoreError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// The tables whose rows the auditor reads.
    fn tables() -> Vec<Box<dyn Listed>>;

    /// The versions of events that the service publishes.
    fn versions(_config: &Self::Config) -> Versions<Self::Contract> {
        Versions::default()
    }
}

/// The state that routes work with. It is cheap to clone, because axum clones it for each request and layer.
pub struct App<P: Participant>(Arc<Parts<P>>);

/// The contents of an [`App`].
pub struct Parts<P: Participant> {
    /// Takes commands, which change something.
    pub commands: Commands<P>,
    /// The engine, for reading.
    pub engine: Arc<Engine<P>>,
    /// The bus, for the consumer lag.
    pub bus: Arc<dyn Bus>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for new ids.
    pub random: Arc<dyn Random>,
    /// Turns true when the service stops. Event streams must end then, or draining waits for them.
    pub stopping: watch::Receiver<bool>,
    /// The metrics, and the share of traces that is sampled.
    pub telemetry: Arc<Telemetry>,
    /// The limits that requests share.
    pub room: Arc<http::Room>,
    /// A connection to the database for `/health/ready` alone, which works however busy the others are.
    pub health: Db,
}

impl<P: Participant> From<Parts<P>> for App<P> {
    fn from(parts: Parts<P>) -> Self {
        Self(Arc::new(parts))
    }
}

impl<P: Participant> Deref for App<P> {
    type Target = Parts<P>;

    fn deref(&self) -> &Parts<P> {
        &self.0
    }
}

impl<P: Participant> Clone for App<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
