//! The settings of a bus, and [`connect`], which opens one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::kafka::{Config, Kafka};
use crate::log::{Log, LogOptions};
use crate::names::Namespace;
use crate::{Bus, BusError};

/// The settings of a bus.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The address: `log:PATH/bus.db` or `kafka:HOST:PORT,HOST:PORT`.
    pub url: String,
    /// The prefix of topic and group names at the broker, such as `t1-`; empty for none.
    pub namespace: String,
    /// The broker's name for this process (Kafka's `client.id`), such as `travel-booking`; empty for `quintet`.
    pub client: String,
    /// Settings of librdkafka, which override our defaults. Those that delivery at least once and in order
    /// depends on are refused.
    pub kafka: BTreeMap<String, String>,
}

/// Opens the bus. Kafka need not be reachable yet. The log is created if it does not exist.
///
/// # Errors
/// [`BusError::Settings`] that names a wrong setting; an error of the log's files.
pub async fn connect(settings: &Settings) -> Result<Arc<dyn Bus>, BusError> {
    let namespace = Namespace::new(&settings.namespace)?;
    match settings.url.split_once(':') {
        Some(("log", path)) if !path.is_empty() => {
            let log = Log::open(Path::new(path), &settings.namespace, LogOptions::default());
            Ok(Arc::new(log.await?))
        }
        Some(("kafka", brokers)) if !brokers.is_empty() => {
            let client = if settings.client.is_empty() { "quintet" } else { &settings.client };
            let config = Config::new(brokers, client, &settings.kafka)?;
            Ok(Arc::new(Kafka::new(config, namespace)))
        }
        _ => Err(BusError::settings(
            "bus.url",
            format!("{:?} should be log:PATH/bus.db or kafka:HOST:PORT,HOST:PORT", settings.url),
        )),
    }
}
