//! What librdkafka calls back: log lines and rebalances.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;

/// What librdkafka calls back.
#[derive(Default)]
pub(super) struct Context {
    /// Whether partitions that come in are to be paused.
    pub(super) paused: AtomicBool,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // It heals by itself and is said on every attempt to connect.
            _ if facility == "FAIL" => tracing::info!(facility, "Kafka client: {message}"),
            // A consumer's setting given to a producer, as pass-through settings go to both.
            _ if facility == "CONFWARN" => tracing::debug!(facility, "Kafka client: {message}"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::error!(facility, "Kafka client: {message}"),
            RDKafkaLogLevel::Warning => tracing::warn!(facility, "Kafka client: {message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, "Kafka client: {message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(facility, "Kafka client: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Consumers get it from their next poll as well, producers from the report.
        tracing::info!(%error, "Kafka client: {reason}");
    }
}

impl ConsumerContext for Context {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else {
            return;
        };
        tracing::debug!(partitions = partitions.count(), "Kafka assigned partitions");
        if self.paused.load(Ordering::SeqCst)
            && let Err(error) = consumer.pause(partitions)
        {
            tracing::error!(%error, "new partitions could not be paused");
        }
    }
}
