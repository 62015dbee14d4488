//! Which bus, where, and under which namespace.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::kafka::{Config, Kafka};
use crate::log::{Log, LogOptions};
use crate::names::Namespace;
use crate::{Bus, BusError};

/// Which bus, where, and under which namespace.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `log:PATH/bus.db` or `kafka:HOST:PORT,HOST:PORT`.
    pub url: String,
    /// Put before topic and group names at the broker, such as `t1-`; empty for none.
    pub namespace: String,
    /// What the broker knows this process by (Kafka's `client.id`), such as `travel-booking`; empty for
    /// `quintet`.
    pub client: String,
    /// Passed to librdkafka, over our defaults; those that the delivery promise rests on are refused.
    pub kafka: BTreeMap<String, String>,
}

/// Opens the bus. Kafka need not be reachable yet; the log is created where it is missing.
///
/// # Errors
/// [`BusError::Settings`] naming the setting, or the log's file cannot be used.
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
