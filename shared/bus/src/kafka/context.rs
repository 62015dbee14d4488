//! The functions that librdkafka calls back: for log lines, delivery reports and rebalances.
//!
//! A rebalance assigns partitions to a consumer or revokes them. Before an assignment takes effect,
//! [`Context`] looks up where the group is to read on (`seek_to_committed`). Afterwards it pauses the new
//! partitions if the consumer is paused. It also notes which records came since the assignment, so that the
//! consumer does not store positions from before it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::{Notify, oneshot};

use super::admin::ANSWER;
use super::producer::Report;
use crate::LogThrottle;
use crate::error::denial;

/// The state of one client that librdkafka's calls change. See the module.
#[derive(Default)]
pub(super) struct Context {
    /// The client's consumer group, without the namespace; empty for none.
    pub(super) group: String,
    /// Whether newly assigned partitions are to be paused.
    pub(super) paused: AtomicBool,
    /// Whether partitions were assigned whose committed offsets could not be learned, or that could not be paused or
    /// resumed. librdkafka would ask for the offsets by itself, but if that fails too it never reads the partitions. So
    /// the caller has to open another consumer.
    pub(super) must_reopen: AtomicBool,
    /// Wakes a poll that waits for a record when `must_reopen` turns true.
    pub(super) reopening: Notify,
    first_offsets: Mutex<FirstOffsets>,
    /// Limits how often a denial by the broker is logged.
    pub(super) denials: LogThrottle,
    /// Limits how often a missing topic is logged.
    pub(super) missing_topics: LogThrottle,
}

/// The first offset that came from each partition since it was assigned, by topic and partition.
type FirstOffsets = HashMap<String, HashMap<i32, i64>>;

impl Context {
    /// The context of a client that belongs to this group, or asks about it.
    pub(super) fn of_group(group: &str) -> Self {
        Self { group: group.to_owned(), ..Self::default() }
    }

    pub(super) fn require_reopening(&self) {
        self.must_reopen.store(true, Ordering::SeqCst);
        self.reopening.notify_one();
    }

    fn first_offsets(&self) -> MutexGuard<'_, FirstOffsets> {
        // Each entry is inserted and removed as a whole, so the map is usable after a panic.
        self.first_offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that this record was received.
    pub(super) fn received(&self, topic: &str, partition: i32, offset: i64) {
        let mut first = self.first_offsets();
        match first.get_mut(topic) {
            Some(partitions) => {
                partitions.entry(partition).or_insert(offset);
            }
            None => {
                first.insert(topic.to_owned(), HashMap::from([(partition, offset)]));
            }
        }
    }

    /// Whether this position is after the first record that came since the partition was assigned. Any other
    /// position is from before the group took the partition away. Another member has read further since, and
    /// to store the position would set the group back.
    pub(super) fn is_current(&self, topic: &str, partition: i32, next: i64) -> bool {
        let first = self.first_offsets();
        let first = first.get(topic).and_then(|partitions| partitions.get(&partition));
        first.is_some_and(|first| *first < next)
    }

    /// Drops what was noted about partitions that the group took away.
    fn revoked(&self, revoked: &TopicPartitionList) {
        let mut first = self.first_offsets();
        for element in revoked.elements() {
            if let Some(partitions) = first.get_mut(element.topic()) {
                partitions.remove(&element.partition());
            }
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // An attempt to connect failed. librdkafka retries, and reports each attempt.
            _ if facility == "FAIL" => tracing::info!(facility, "Kafka client: {message}"),
            // A consumer's setting was given to a producer: the user's settings go to both.
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
        // A consumer gets the error from its next poll too, and a producer from the report. While the broker is
        // away these three come many times a second. `log` says the cause once for each attempt to connect.
        let away = [AllBrokersDown, BrokerTransportFailure, Resolve];
        if error.rdkafka_error_code().is_some_and(|code| away.contains(&code)) {
            tracing::debug!(%error, "Kafka client: {reason}");
        } else if let Some((code, remedy)) = denial(&error) {
            // librdkafka repeats it with each attempt to connect.
            if self.denials.should_log(&code.to_string(), Instant::now()) {
                tracing::warn!("Kafka denies access ({code}): {remedy}; Kafka client: {reason}");
            }
        } else {
            tracing::info!(%error, "Kafka client: {reason}");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<oneshot::Sender<Report>>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Self::DeliveryOpaque) {
        // The publisher may have been dropped, and with it the receiver.
        let _ = report.send(result.as_ref().map(drop).map_err(|(error, _)| error.clone()));
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else {
            return;
        };
        if let Err(error) = seek_to_committed(consumer, partitions) {
            tracing::warn!(%error, "the committed offsets of new partitions are not known");
            self.require_reopening();
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let partitions = match rebalance {
            Rebalance::Assign(partitions) => partitions,
            Rebalance::Revoke(partitions) => return self.revoked(partitions),
            Rebalance::Error(_) => return,
        };
        tracing::debug!(partitions = partitions.count(), "Kafka assigned partitions");
        let paused = self.paused.load(Ordering::SeqCst);
        // Resumed too: a partition that was paused when it was revoked is still paused when it is assigned again.
        let done = if paused { consumer.pause(partitions) } else { consumer.resume(partitions) };
        if let Err(error) = done {
            tracing::error!(%error, paused, "new partitions could not be paused or resumed");
            self.require_reopening();
        }
    }
}

/// Starts each assigned partition at the offset that the group has committed. Where the group has committed
/// none, as in a partition that was added while the group had members, it starts at the lowest record.
fn seek_to_committed(
    consumer: &BaseConsumer<Context>,
    assigned: &TopicPartitionList,
) -> KafkaResult<()> {
    if assigned.count() == 0 {
        return Ok(());
    }
    let committed = consumer.committed_offsets(assigned.clone(), ANSWER)?;
    for mut partition in assigned.elements() {
        let answer = committed.find_partition(partition.topic(), partition.partition());
        let Some(answer) = answer else { continue };
        // With an error the offset is unknown. It must not count as "none committed".
        answer.error()?;
        partition.set_offset(match answer.offset() {
            Offset::Invalid => Offset::Beginning,
            committed => committed,
        })?;
    }
    Ok(())
}
