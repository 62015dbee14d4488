//! What a service says of itself without running: for reference pages.

use bus::PartitionState;
use edge::{Proxies, Server};
use engine::Queues;
use event::Contract;
use prometheus_client::encoding::text::encode_registry;
use serde_json::{Value, to_value};
use store::Db;

use crate::{
    Sampling, Service, Telemetry,
    config::{self, Defaults, Loaded, Secrets},
    router::{admin_routes, public_routes},
    telemetry::LookedUp,
};

/// See [`describe`].
#[derive(Debug, Clone)]
pub struct Description {
    /// The service's name.
    pub name: &'static str,
    /// The OpenAPI document of the public listener.
    pub public: Value,
    /// The OpenAPI document of the admin listener.
    pub admin: Value,
    /// The commented settings that all services have.
    pub shared_settings: String,
    /// The commented settings of its own.
    pub own_settings: &'static str,
    /// What its variables in the environment begin with, such as `TRAVEL_BOOKING__`.
    pub variables: String,
    /// What `/metrics` says, in the form of `OpenMetrics`, with at least one series of each metric.
    pub metrics: String,
}

/// Describes a service with its default settings. Neither its database nor its broker is asked.
///
/// # Errors
/// If the default settings cannot be used, or the service's own figures cannot be read from an empty database.
pub async fn describe<S: Service>() -> anyhow::Result<Description> {
    let defaults = Defaults::new(S::Contract::NAMESPACE, S::NAME, S::CONFIG);
    let (_, own): Loaded<S::Config> =
        config::load(&defaults, None, Vec::new(), &mut Secrets::default())?;
    let (participant, _) = S::open(&own)?;
    let Defaults { shared, own: own_settings, prefix } = defaults;
    Ok(Description {
        name: S::NAME,
        public: to_value(public_routes::<S>().description)?,
        admin: to_value(admin_routes::<S>().description)?,
        shared_settings: shared,
        own_settings,
        variables: prefix,
        metrics: metrics(&participant).await?,
    })
}

/// As `/metrics` puts it together, of an empty database.
async fn metrics<S: Service>(participant: &S) -> anyhow::Result<String> {
    let mut telemetry = Telemetry::of::<S>(Sampling::new(0.0, false));
    let (server, engine) = (Server::new(Proxies::default()), engine::Metrics::default());
    server.register(telemetry.registry());
    participant.register(telemetry.registry());
    engine.register(telemetry.registry());
    server.show_labels();
    engine.show_labels();
    telemetry.show_labels();
    let mut text = String::new();
    encode_registry(&mut text, telemetry.registry())?;

    let db = Db::connect("sqlite::memory:", 1).await?;
    db.migrate(engine::migrations().and(S::migrations())).await?;
    let figures = S::figures(&db).await?;
    db.close().await;
    let partition =
        PartitionState { topic: String::new(), partition: 0, low: 0, high: 0, committed: None };
    let looked_up = LookedUp {
        queues: Some(Queues::default()),
        figures: Some(figures),
        partitions: Some(vec![partition]),
    };
    text.push_str(&looked_up.text::<S>()?);
    Ok(text)
}
