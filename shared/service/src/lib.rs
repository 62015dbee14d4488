//! Everything around a service's engine that is the same for all: configuration, the HTTP and
//! admin listeners, health, logs, signals. A service's `main.rs` is `service::main::<It>()`.

mod admin;
mod config;
mod dead_letters;
pub mod http;
mod leash;
mod openapi;
mod outside;
mod router;
mod run;
mod telemetry;

use std::{future::Future, sync::Arc};

use bus::Bus;
use clock::{Clock, Random};
use contracts::Versions;
use engine::{Commands, Engine, Outside, Participant};
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use store::{Db, Migrations, StoreError};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;

pub use admin::{Listed, TableOf};
pub use config::{Config, NoConfig, seconds};
pub use leash::shutdown_signal;
pub use outside::{answer, client, no_answer};
pub use router::{admin_router, public_router};
pub use run::main;
pub use telemetry::{Figure, Sampling, Telemetry};

/// Events are many small pieces of memory: glibc's allocator takes a quarter of a busy service's time. The
/// crate's feature `override` has librdkafka use this one too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A participant as a process.
pub trait Service: Participant {
    /// Its commented `config.toml`: all settings there are, with their defaults.
    const CONFIG: &'static str;

    /// Its own settings, beside those that all services have.
    type Config: DeserializeOwned + Send + Sync + 'static;

    /// The participant and its way to the outside world.
    ///
    /// # Errors
    /// If a setting cannot be used; the error names it.
    fn open(config: &Self::Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)>;

    /// Its own tables, versions from 1000.
    fn migrations() -> Migrations;

    /// Its public routes.
    fn routes() -> OpenApiRouter<App<Self>>;

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
    fn versions(_config: &Self::Config) -> Versions {
        Versions::default()
    }
}

/// What a route works with. Cheap to clone.
pub struct App<P: Participant> {
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
}

impl<P: Participant> Clone for App<P> {
    fn clone(&self) -> Self {
        Self {
            commands: self.commands.clone(),
            engine: Arc::clone(&self.engine),
            bus: Arc::clone(&self.bus),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            stopping: self.stopping.clone(),
            telemetry: Arc::clone(&self.telemetry),
        }
    }
}
