//! A member of a Kafka consumer group. It returns records, and commits the offsets that its caller stores.
//!
//! The group divides the partitions of its topics among its members. In a *rebalance* it assigns partitions to a
//! member or revokes them. A *position* is the next offset to read in a partition: one more than the offset of
//! the last record that was applied.
//!
//! # What it does, and when
//!
//! The engine's consumer task owns one and calls, over and over:
//!
//! 1. `receive`, which takes records straight from librdkafka's queue;
//! 2. `store` with the position after each record that was applied, once the database transaction that applied
//!    it has committed. librdkafka commits stored offsets to the broker every second, and when the group takes
//!    a partition away.
//! 3. `pause` and `resume` around times in which no record may be returned, such as a database outage.
//!    `receive` is called during a pause too: only its polls keep this member in the group.
//! 4. `close` at the end, which commits what was stored and leaves the group.
//!
//! # What it assumes
//!
//! 1. One task uses it: `receive` and `pause` never run at the same time (both take `&mut self`).
//! 2. The caller stores a position only after the record before it was applied for good.
//! 3. The caller recognises repeated records: delivery is at least once.
//! 4. `config.rs` sets `enable.auto.offset.store = false` and `auto.offset.reset = error`, and users cannot
//!    override them.
//! 5. librdkafka calls the functions of [`Context`] about rebalances only within a poll, so only within
//!    `receive`.
//!
//! # What it promises
//!
//! - *A dropped `receive` loses nothing.* Its only `await` is `recv`, which either returns a record or takes
//!   none. From there to the return nothing is awaited.
//! - *No record is skipped.* By 2 and 4 the broker learns only offsets up to which all records were applied.
//!   After a crash the others come again, which 3 permits. Where the next record was deleted unread,
//!   librdkafka reports `AutoOffsetReset`, and `receive` fails.
//! - *No stale position sets the group back.* A member that was too slow may still hold records of a partition
//!   that another member has read further since. By 5 [`Context`] knows which records came since the partition
//!   was assigned, and `store` ignores positions from before.
//! - *No record is returned during a pause*, and none is lost by it: records that librdkafka had queued before
//!   the pause wait in `queued_before_pause`.
//!
//! # When something fails
//!
//! | what fails | what happens |
//! |---|---|
//! | the broker is away | `receive` waits; librdkafka reconnects |
//! | a topic is missing, or reading it is denied | a warning; the other topics go on, and librdkafka looks for this one every few seconds |
//! | the group excludes a member that has not polled for too long | a warning; the next poll joins again |
//! | the next record does not exist (deleted unread, or lost by the broker) | [`BusError::OutOfReach`] |
//! | the committed offsets of a newly assigned partition cannot be learned | [`BusError::Unavailable`]; the caller opens another consumer |
//! | any other error, such as a denied group | the error, which says whether a retry can help |
//! | records were received before the error | they are returned first, and the next `receive` returns the error |
//! | the last commit in `close` | the error; the records come again |
//!
//! # What would break without
//!
//! - `failed`: librdkafka reports an error once. Returned after the records, it would otherwise be lost, and
//!   the service would read on behind a gap.
//! - `queued_before_pause`: records would be returned during a pause, or lost.
//! - the check of `is_current` in `store`: a member that wakes up late would set the group back, and records
//!   that were applied long ago would come again.
//! - the call of `Context::received` in `take`: no position would ever be current, so none would be stored, and
//!   after a restart all records would come again.
//! - the inner loop with `now_or_never`: each `receive` would return one record, and the caller's batches would
//!   have one record each.
//! - `lost_its_place`: librdkafka would never read a partition whose offset it could not learn.
//! - the threads in `close` and `drop`: leaving the group waits for the broker, and an absent broker would
//!   block an async thread or keep the process from ending.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use event::Headers;
use futures::FutureExt;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::context::Context;
use crate::error::kafka_heals;
use crate::names::Namespace;
use crate::{BusError, Consumer, Incoming, Position};

/// How long `close` waits for the last commit. A process that stops has little time.
const LEAVE: Duration = Duration::from_secs(5);

/// The usual size of an event's headers in bytes: with this room they are allocated once.
const USUAL_HEADERS: usize = 512;

/// See the module.
pub(super) struct KafkaConsumer {
    /// `None` once the consumer is closed.
    client: Option<StreamConsumer<Context>>,
    namespace: Namespace,
    /// The error that ended a `receive` which had records to return first. The next `receive` returns it.
    failed: Option<BusError>,
    /// Records that librdkafka had queued when the partitions were paused. They are returned after the pause.
    queued_before_pause: Vec<Incoming>,
}

impl KafkaConsumer {
    pub(super) fn new(client: StreamConsumer<Context>, namespace: Namespace) -> Self {
        Self { client: Some(client), namespace, failed: None, queued_before_pause: Vec::new() }
    }

    /// The record of one poll. `None` if the poll met an error that librdkafka gets over by itself.
    fn take(
        client: &StreamConsumer<Context>,
        namespace: &Namespace,
        polled: KafkaResult<BorrowedMessage<'_>>,
    ) -> Result<Option<Incoming>, BusError> {
        if client.context().lost_its_place.swap(false, Ordering::SeqCst) {
            let reason = "the offsets of new partitions could not be learned".to_owned();
            return Err(BusError::Unavailable { reason });
        }
        let message = match polled {
            Ok(message) => message,
            Err(error) => return Self::check(client.context(), error).map(|()| None),
        };
        client.context().received(message.topic(), message.partition(), message.offset());
        Ok(Some(incoming(namespace, &message)))
    }

    /// Passes an error on, unless librdkafka gets over it by itself.
    fn check(context: &Context, error: KafkaError) -> Result<(), BusError> {
        match error.rdkafka_error_code() {
            // The other topics go on, and librdkafka looks for this one every few seconds.
            Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                if context.denials.should_log(&code.to_string(), Instant::now()) {
                    let error =
                        BusError::kafka(format!("receiving for group {}", context.group), error);
                    tracing::warn!(%error, "a subscribed topic cannot be read");
                }
                Ok(())
            }
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                // This also occurs for a moment while a broker starts, and then goes away.
                tracing::warn!(%error, "a subscribed topic does not exist");
                Ok(())
            }
            // The pause between two polls was too long for the group. The next poll joins again.
            Some(RDKafkaErrorCode::PollExceeded) => {
                tracing::warn!(%error, "the group went on without this member, joining again");
                Ok(())
            }
            // The next record was deleted, or does not exist yet. `Bus::partitions` finds out which.
            Some(RDKafkaErrorCode::AutoOffsetReset) => Err(BusError::OutOfReach),
            _ if kafka_heals(&error) => Ok(()),
            _ => Err(BusError::kafka(format!("receiving for group {}", context.group), error)),
        }
    }

    /// Pauses or resumes the assigned partitions. The flag of the context is set first: partitions that are
    /// assigned later follow it, also if pausing the present ones fails.
    fn set_paused(&self, paused: bool) -> Result<(), BusError> {
        let client = open(self.client.as_ref())?;
        client.context().paused.store(paused, Ordering::SeqCst);
        let assigned = client.assignment();
        assigned
            .and_then(
                |assigned| {
                    if paused { client.pause(&assigned) } else { client.resume(&assigned) }
                },
            )
            .map_err(|error| BusError::kafka("pausing or resuming", error))
    }
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let Self { client, namespace, failed, queued_before_pause } = self;
        let client = open(client.as_ref())?;
        // By assumption 1 this cannot change during the call.
        let paused = client.context().paused.load(Ordering::SeqCst);
        let waiting = if paused { 0 } else { queued_before_pause.len().min(max) };
        let mut received: Vec<_> = queued_before_pause.drain(..waiting).collect();
        while received.is_empty() {
            // The only await: see the first promise. Rebalances happen within these polls, so never while the
            // caller works on a batch. Records of a revoked partition that the caller still holds come to the
            // partition's new owner as well.
            let mut polled = Some(client.recv().await);
            while let Some(result) = polled {
                match Self::take(client, namespace, result) {
                    Ok(record) if paused => queued_before_pause.extend(record),
                    Ok(record) => received.extend(record),
                    Err(error) if received.is_empty() => return Err(error),
                    Err(error) => {
                        *failed = Some(error);
                        return Ok(received);
                    }
                }
                polled = (received.len() < max).then(|| client.recv().now_or_never()).flatten();
            }
        }
        Ok(received)
    }

    fn store(&mut self, positions: &[Position]) -> Result<(), BusError> {
        let client = open(self.client.as_ref())?;
        for position in positions {
            let topic = self.namespace.outer("topic", &position.topic)?;
            if !client.context().is_current(&topic, position.partition, position.next) {
                continue;
            }
            let mut list = TopicPartitionList::with_capacity(1);
            list.add_partition_offset(&topic, position.partition, Offset::Offset(position.next))
                .map_err(|error| BusError::kafka("naming an offset", error))?;
            match client.store_offsets(&list) {
                Err(error) if !is_not_assigned(&error) => {
                    return Err(BusError::kafka("storing offsets", error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn pause(&mut self) -> Result<(), BusError> {
        self.set_paused(true)
    }

    fn resume(&mut self) -> Result<(), BusError> {
        self.set_paused(false)
    }

    async fn close(mut self: Box<Self>) -> Result<(), BusError> {
        let Some(client) = self.client.take() else {
            return Ok(());
        };
        let (done, closed) = oneshot::channel();
        // Not one of the runtime's blocking threads: the runtime would wait for it at its end.
        std::thread::spawn(move || {
            let committed = client.commit_consumer_state(CommitMode::Sync);
            // Leaves the group.
            drop(client);
            // After the time-out below there is no receiver any more.
            let _ = done.send(committed);
        });
        let Ok(Ok(committed)) = tokio::time::timeout(LEAVE, closed).await else {
            return Err(BusError::Unavailable {
                reason: format!("no answer to the last commit within {LEAVE:?}"),
            });
        };
        match committed {
            // There was nothing new to commit.
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) | Ok(()) => Ok(()),
            Err(error) => Err(BusError::kafka("committing offsets", error)),
        }
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // Not on an async thread: leaving the group takes a round trip to the broker.
            std::thread::spawn(move || drop(client));
        }
    }
}

fn open(client: Option<&StreamConsumer<Context>>) -> Result<&StreamConsumer<Context>, BusError> {
    let closed = || BusError::Unavailable { reason: "the consumer is closed".to_owned() };
    client.ok_or_else(closed)
}

/// Whether the group has taken the partition away in the meantime.
fn is_not_assigned(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::State | RDKafkaErrorCode::UnknownPartition)
    )
}

pub(super) fn incoming(namespace: &Namespace, message: &BorrowedMessage<'_>) -> Incoming {
    let headers = message.headers().map_or_else(Headers::new, |borrowed| {
        let mut headers = Headers::with_capacity(USUAL_HEADERS);
        let pairs = borrowed.iter().map(|header| (header.key, header.value.unwrap_or_default()));
        headers.extend(pairs);
        headers
    });
    Incoming {
        topic: namespace.inner(message.topic()).to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().unwrap_or_default().to_vec(),
        headers,
        value: message.payload().unwrap_or_default().to_vec(),
    }
}
