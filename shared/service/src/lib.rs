//! Everything around a service's engine that is the same for all: configuration, the HTTP and
//! admin listeners, health, logs, signals. A program of a service's own is `service::main::<It>()`; one that runs several
//! services calls `service::main_with::<It>(…)` for the one that its command line names.

mod address;
mod admin;
mod config;
mod dead_letters;
mod effects;
pub mod http;
mod leash;
mod mailbox;
mod openapi;
mod outside;
mod page;
mod router;
mod run;
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
pub use leash::shutdown_signal;
pub use mailbox::{mail_domain, mailbox};
pub use outside::{Reference, UnusableReference, answer, client, no_answer};
pub use router::{admin_router, public_router};
pub use run::{Arguments, main, main_with};
pub use telemetry::{Figure, Sampling, Telemetry};

/// Events are many small pieces of memory: glibc's allocator takes a quarter of a busy service's time. This one
/// serves librdkafka too, and gives back what a rush has left.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A participant as a process.
pub trait Service: Participant {
    /// Its commented `config.toml`: the settings of its own with their defaults, its listeners among them.
    /// What all services have is in `config.toml` of this crate; here it may be overridden.
    const CONFIG: &'static str;

    /// The paths below which web pages of the origins in `cors.origins` may write. They may read all
    /// public routes.
    const WRITABLE_BY_PAGES: &'static [&'static str] = &[];

    /// Its own settings, beside those that all services have.
    type Config: DeserializeOwned + Send + Sync + 'static;

    /// The participant and its way to the outside world.
    ///
    /// # Errors
    /// If a setting cannot be used; the error names it.
    fn open(config: &Self::Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)>;

    /// Its own tables, versions from 1000.
    fn migrations() -> Migrations;

    /// Its public routes; none unless given.
    #[must_use]
    fn routes() -> OpenApiRouter<App<Self>> {
        OpenApiRouter::default()
    }

    /// Its own admin routes, beside those that all services have.
    #[must_use]
    fn admin_routes() -> OpenApiRouter<App<Self>> {
        OpenApiRouter::default()
    }

    /// Shows metrics of its own, beside those that all services have.
    fn register(&self, _registry: &mut Registry) {}

    /// Figures of its own that are looked up when `/metrics` is asked for.
    #[must_use]
    fn figures(_db: &Db) -> impl Future<Output = Result<Vec<Figure>, StoreError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// The tables whose rows the auditor reads.
    fn tables() -> Vec<Box<dyn Listed>>;

    /// Which versions of events it publishes.
    fn versions(_config: &Self::Config) -> Versions<Self::Contract> {
        Versions::default()
    }
}

/// What a route works with. Cheap to clone, which each layer around a route does for each request.
pub struct App<P: Participant>(Arc<Parts<P>>);

/// What there is in an [`App`].
pub struct Parts<P: Participant> {
    /// Where changes go.
    pub commands: Commands<P>,
    /// Where reads come from.
    pub engine: Arc<Engine<P>>,
    /// The broker, for the lag.
    pub bus: Arc<dyn Bus>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for new ids.
    pub random: Arc<dyn Random>,
    /// Turns true when the service stops: what stays open ends then.
    pub stopping: watch::Receiver<bool>,
    /// What is counted, and which traces are sampled.
    pub telemetry: Arc<Telemetry>,
    /// What requests share.
    pub room: Arc<http::Room>,
    /// The database once more, for readiness alone: however busy the service is, it can say so.
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
