//! What librdkafka calls back: log lines and rebalances.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

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

/// For the committed offsets of what was just assigned: the broker has only now answered.
const ANSWER: Duration = Duration::from_secs(5);

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else {
            return;
        };
        if let Err(error) = begin_at_the_beginning(consumer, partitions) {
            // Those that the group has not read yet report an error then, and it joins anew.
            tracing::warn!(%error, "the committed offsets of new partitions are not known yet");
        }
    }

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

/// Where the group has committed nothing yet, it reads from the lowest record on.
fn begin_at_the_beginning(
    consumer: &BaseConsumer<Context>,
    assigned: &TopicPartitionList,
) -> KafkaResult<()> {
    let committed = consumer.committed_offsets(assigned.clone(), ANSWER)?;
    for mut partition in assigned.elements() {
        let known = committed.find_partition(partition.topic(), partition.partition());
        let Some(known) = known else { continue };
        // That nothing is known of it yet does not mean that there is nothing.
        known.error()?;
        if known.offset() == Offset::Invalid {
            partition.set_offset(Offset::Beginning)?;
        }
    }
    Ok(())
}
