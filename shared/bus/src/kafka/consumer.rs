//! A member of a Kafka consumer group. It returns records, and commits the offsets that its caller stores.
//!
//! The group divides the partitions of its topics among its members. In a *rebalance* it assigns partitions to a
//! member or revokes them. A *position* is the offset of the next record to read in a partition: all records before it
//! are applied, and the next member that reads the partition begins there.
//!
//! # What it does, and when
//!
//! The engine's consumer task owns one and calls, over and over:
//!
//! 1. `receive`, which waits for a record, and takes from librdkafka's queue what else is there;
//! 2. `store` with the position after each record that was applied, once the database transaction that applied
//!    it has committed. librdkafka commits stored positions to the broker every second, unless the user sets another
//!    interval, and when the group takes a partition away.
//! 3. `pause` and `resume` around times in which no record may be returned, as while the engine is busy.
//!    `receive` is called during a pause too: only its polls keep this member in the group. It returns no records
//!    then, but may return an error. So the caller drops that call when it resumes.
//!
//! At the end it calls `close`, which commits what was stored and leaves the group. After an error of `receive` it drops
//! the consumer, and opens another if the error is [transient](BusError::is_transient).
//!
//! # What it assumes
//!
//! - A1. The caller stores a position only after all records of the partition before it were applied for good. A record
//!   that was parked as a dead letter counts as applied.
//! - A2. The caller recognises repeated records: delivery is at least once.
//! - A3. `config.rs` sets `enable.auto.commit = true`, `auto.commit.interval.ms = 1000`, `enable.auto.offset.store = false`
//!   and `auto.offset.reset = error`. Users can override the interval only.
//! - A4. librdkafka calls the functions of [`Context`] about rebalances only within a poll, and while the client closes.
//!   They start each assigned partition at the committed offset. Where there is none, as in a new partition, they start
//!   it at its first record, so that `auto.offset.reset` does not matter.
//!
//! # What it promises
//!
//! - *A dropped `receive` loses nothing.* It waits only before it has taken a record, or during a pause, when each record
//!   that it takes goes to `taken_in_pause`.
//! - *No record is skipped.* By A1 and A3 the broker learns only positions. After a
//!   crash the records at the committed position and after it come again, which A2 permits. Where the next
//!   record does not exist any more, librdkafka reports `AutoOffsetReset`, and `receive` fails.
//! - *No stale position sets the group back.* A member that was too slow may still store positions of a partition
//!   that another member has read further since. [`Context`] knows which records came since the partition
//!   was assigned, and `store` ignores positions from before.
//! - *No record is returned during a pause*, and none is lost by it: a poll takes records that librdkafka had queued
//!   before the pause, and they wait in `taken_in_pause`. These are few, since librdkafka fetches none of a paused partition.
//!
//! # When something fails
//!
//! | what fails | what happens |
//! |---|---|
//! | the broker is away, or another error that librdkafka gets over by itself (`kafka_heals`) | `receive` waits; librdkafka reconnects |
//! | a topic is missing, or reading it is denied | a warning, repeated at most once a minute; the other topics go on, and librdkafka looks for this one every few seconds |
//! | the group excludes a member that has not polled for too long | a warning; the next poll joins again |
//! | the group revokes a partition whose records are being applied | they are applied, and the partition's new member gets them too (A2); `store` ignores their positions |
//! | the next record does not exist: it was deleted unread, or the topic ends before the group's position | [`BusError::OutOfReach`] |
//! | the committed offsets of newly assigned partitions cannot be learned, or these cannot be paused | [`BusError::Unavailable`] |
//! | any other error, such as a denied group | the error |
//! | an error after the first record of a `receive` | the records are returned, and the next `receive` returns the error |
//! | the last commit in `close`, or leaving the group takes too long | the error; the records come again, unless the commit has arrived |
//!
//! # What would break without
//!
//! - `failed`: librdkafka reports an error once. If `receive` returned the records and forgot the error, the service
//!   would read on after a gap.
//! - `taken_in_pause`: records would be returned during a pause, or lost.
//! - the check of `is_current` in `store`: a member that wakes up late would set the group back, and records
//!   that were applied long ago would come again.
//! - `is_not_assigned` in `store`: if librdkafka gave a partition up before [`Context`] heard of it, that would be an
//!   error, and the positions after it in the list would not be stored.
//! - the call of `Context::received` in `take`: no position would ever be current, so none would be stored, and
//!   a restart would begin where this consumer began.
//! - the inner loop with `now_or_never`: each `receive` would return one record, and the caller's batches would
//!   have one record each.
//! - `Context::must_reopen`: librdkafka would never read a partition whose offset it could not learn.
//! - `Context::reopening`: a member of which no partition is read would wait for a record for ever.
//! - the arms of `pass_on` about topics: one missing topic would end the consumer of all the others.
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

/// How long `close` waits for the last commit and for leaving the group. A process that stops has little time.
const LEAVE: Duration = Duration::from_secs(5);

/// The usual size of an event's headers in bytes: with this room they are allocated once.
const USUAL_HEADERS: usize = 512;

/// See the module.
pub(super) struct KafkaConsumer {
    /// `None` once `close` or `drop` has handed it to a thread.
    client: Option<StreamConsumer<Context>>,
    namespace: Namespace,
    /// The error that ended a `receive` which had records to return first. The next `receive` returns it.
    failed: Option<BusError>,
    /// Records that polls during a pause have taken. They are returned after the pause.
    taken_in_pause: Vec<Incoming>,
}

impl KafkaConsumer {
    pub(super) fn new(client: StreamConsumer<Context>, namespace: Namespace) -> Self {
        Self { client: Some(client), namespace, failed: None, taken_in_pause: Vec::new() }
    }

    /// The record of one poll. `None` if the poll met an error that librdkafka gets over by itself. Once another consumer
    /// must be opened, this fails: the record is dropped, and comes to that consumer.
    fn take(
        client: &StreamConsumer<Context>,
        namespace: &Namespace,
        polled: KafkaResult<BorrowedMessage<'_>>,
    ) -> Result<Option<Incoming>, BusError> {
        if client.context().must_reopen.load(Ordering::SeqCst) {
            let reason = "new partitions could not be prepared; see the warning before".to_owned();
            return Err(BusError::Unavailable { reason });
        }
        let message = match polled {
            Ok(message) => message,
            Err(error) => return pass_on(client.context(), error).map(|()| None),
        };
        client.context().received(message.topic(), message.partition(), message.offset());
        Ok(Some(incoming(namespace, &message)))
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
        let Self { client, namespace, failed, taken_in_pause } = self;
        let client = open(client.as_ref())?;
        // `pause` takes `&mut self`, so this cannot change during the call.
        let paused = client.context().paused.load(Ordering::SeqCst);
        let waiting = if paused { 0 } else { taken_in_pause.len().min(max) };
        let mut received: Vec<_> = taken_in_pause.drain(..waiting).collect();
        while received.is_empty() {
            // The only await: see the first promise. Both of its branches may be dropped at any time. A rebalance happens
            // within a poll, here or below.
            let mut polled = tokio::select! {
                polled = client.recv() => Some(polled),
                // Without it a member whose only partitions are not read would wait for a record for ever.
                () = client.context().reopening.notified() => Some(Err(KafkaError::NoMessageReceived)),
            };
            while let Some(result) = polled {
                match Self::take(client, namespace, result) {
                    Ok(record) if paused => taken_in_pause.extend(record),
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
                reason: format!("the last commit and leaving the group took more than {LEAVE:?}"),
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

/// Passes an error on, unless librdkafka gets over it by itself.
pub(super) fn pass_on(context: &Context, error: KafkaError) -> Result<(), BusError> {
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
            // This also occurs for a moment while a broker starts.
            if context.missing_topics.should_log(&error.to_string(), Instant::now()) {
                tracing::warn!(%error, "a subscribed topic does not exist");
            }
            Ok(())
        }
        // The time between two polls was too long for the group. The next poll joins again.
        Some(RDKafkaErrorCode::PollExceeded) => {
            tracing::warn!(%error, "the group went on without this member, joining again");
            Ok(())
        }
        // The next record was deleted, or the topic ends before the group's position. The engine's checks before it joins
        // again find out which, and end the service.
        Some(RDKafkaErrorCode::AutoOffsetReset) => Err(BusError::OutOfReach),
        _ if kafka_heals(&error) => Ok(()),
        _ => Err(BusError::kafka(format!("receiving for group {}", context.group), error)),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::config::Config;
    use super::*;

    #[tokio::test]
    async fn a_receive_that_waits_for_a_record_ends_once_another_consumer_must_be_opened() {
        // It accepts connections and never answers, so that librdkafka has nothing to report either.
        let broker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = broker.local_addr().unwrap().to_string();
        let config = Config::new(&address, "quintet-test", &BTreeMap::new()).unwrap();
        let context = Context::of_group("group");
        let client: StreamConsumer<_> =
            config.consumer("group").create_with_context(context).unwrap();
        client.subscribe(&["questions"]).unwrap();
        let mut consumer = KafkaConsumer::new(client, Namespace::new("").unwrap());
        let waiting = consumer.receive(1).now_or_never();
        assert!(waiting.is_none(), "there is no record: {waiting:?}");
        consumer.client.as_ref().unwrap().context().require_reopening();
        let received = consumer.receive(1).await;
        assert!(matches!(received, Err(BusError::Unavailable { .. })), "{received:?}");
    }
}
