//! What librdkafka calls back: log lines, reports and rebalances.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::admin::ANSWER;
use super::producer::Report;
use crate::Said;
use crate::error::denial;

/// What librdkafka calls back.
#[derive(Default)]
pub(super) struct Context {
    /// The consumer group that the client speaks for, without the namespace; empty for none.
    pub(super) group: String,
    /// Whether partitions that come in are to be paused.
    pub(super) paused: AtomicBool,
    /// Whether partitions were assigned whose offsets could not be learned. librdkafka would ask
    /// for them itself, but once its question has failed it never reads them: better to join anew.
    pub(super) lost_its_place: AtomicBool,
    first: Mutex<First>,
    /// What of the broker's denials was said.
    pub(super) denied: Said,
}

/// The first offset that came of each partition since it was assigned, by topic.
type First = HashMap<String, HashMap<i32, i64>>;

impl Context {
    /// Of a client that speaks for this group.
    pub(super) fn of_group(group: &str) -> Self {
        Self { group: group.to_owned(), ..Self::default() }
    }

    fn first(&self) -> MutexGuard<'_, First> {
        // An entry comes or goes as a whole, whoever panicked.
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that this record came.
    pub(super) fn came(&self, topic: &str, partition: i32, offset: i64) {
        let mut first = self.first();
        match first.get_mut(topic) {
            Some(partitions) => {
                partitions.entry(partition).or_insert(offset);
            }
            None => {
                first.insert(topic.to_owned(), HashMap::from([(partition, offset)]));
            }
        }
    }

    /// Whether this position follows a record that came since the partition was assigned. Any other
    /// is from before the group took it away; another member has come further since, and to store
    /// it would set the group back.
    pub(super) fn is_current(&self, topic: &str, partition: i32, next: i64) -> bool {
        let first = self.first();
        first.get(topic).and_then(|of| of.get(&partition)).is_some_and(|first| *first < next)
    }

    fn forget(&self, partitions: &TopicPartitionList) {
        let mut first = self.first();
        for element in partitions.elements() {
            if let Some(of) = first.get_mut(element.topic()) {
                of.remove(&element.partition());
            }
        }
    }
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
        use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, Resolve};
        // Consumers get it from their next poll as well, producers from the report. These are said many
        // times a second while the broker is away, and why not once an attempt: see `log`.
        let away = [AllBrokersDown, BrokerTransportFailure, Resolve];
        if error.rdkafka_error_code().is_some_and(|code| away.contains(&code)) {
            tracing::debug!(%error, "Kafka client: {reason}");
        } else if let Some((code, remedy)) = denial(&error) {
            // librdkafka repeats it with every attempt to connect.
            if self.denied.worth_saying(&code.to_string(), Instant::now()) {
                tracing::warn!("Kafka denies it ({code}): {remedy}; Kafka client: {reason}");
            }
        } else {
            tracing::info!(%error, "Kafka client: {reason}");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<oneshot::Sender<Report>>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Self::DeliveryOpaque) {
        // Whoever published may have given up.
        let _ = report.send(result.as_ref().map(drop).map_err(|(error, _)| error.clone()));
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else {
            return;
        };
        if let Err(error) = take_up(consumer, partitions) {
            tracing::warn!(%error, "the committed offsets of new partitions are not known");
            self.lost_its_place.store(true, Ordering::SeqCst);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let partitions = match rebalance {
            Rebalance::Assign(partitions) => partitions,
            Rebalance::Revoke(partitions) => return self.forget(partitions),
            Rebalance::Error(_) => return,
        };
        tracing::debug!(partitions = partitions.count(), "Kafka assigned partitions");
        let paused = self.paused.load(Ordering::SeqCst);
        // Also to be resumed: one that was paused when it went is still paused when it comes back.
        let done = if paused { consumer.pause(partitions) } else { consumer.resume(partitions) };
        if let Err(error) = done {
            tracing::error!(%error, paused, "new partitions could not be paused or resumed");
            self.lost_its_place.store(true, Ordering::SeqCst);
        }
    }
}

/// Reads on where the group has come to; where it has committed nothing yet (the partition is new,
/// and the group had members when this one joined), from the lowest record on.
fn take_up(consumer: &BaseConsumer<Context>, assigned: &TopicPartitionList) -> KafkaResult<()> {
    if assigned.count() == 0 {
        return Ok(());
    }
    let committed = consumer.committed_offsets(assigned.clone(), ANSWER)?;
    for mut partition in assigned.elements() {
        let known = committed.find_partition(partition.topic(), partition.partition());
        let Some(known) = known else { continue };
        // That nothing is known of it yet does not mean that there is nothing.
        known.error()?;
        partition.set_offset(match known.offset() {
            Offset::Invalid => Offset::Beginning,
            committed => committed,
        })?;
    }
    Ok(())
}
