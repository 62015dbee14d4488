//! Receiving: straight from librdkafka's queue, with no buffer of our own that would outlive a
//! rebalance.

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

/// For the last commit and the farewell to the group; whoever stops has little time.
const LEAVE: Duration = Duration::from_secs(5);

/// What the headers of an event take, about: with this room they are allocated once.
const USUAL_HEADERS: usize = 512;

pub(super) struct KafkaConsumer {
    /// `None` once it is closed.
    client: Option<StreamConsumer<Context>>,
    namespace: Namespace,
    /// What cut a receive short: librdkafka says it once, and the records before it went out first.
    broken: Option<BusError>,
    /// What came while the partitions were being paused: handed out once they are resumed.
    slipped: Vec<Incoming>,
}

impl KafkaConsumer {
    pub(super) fn new(client: StreamConsumer<Context>, namespace: Namespace) -> Self {
        Self { client: Some(client), namespace, broken: None, slipped: Vec::new() }
    }

    /// What one poll brought, if it was a record to return.
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
            Err(error) => return Self::judge(client.context(), error).map(|()| None),
        };
        client.context().came(message.topic(), message.partition(), message.offset());
        Ok(Some(incoming(namespace, &message)))
    }

    /// Passes over what librdkafka gets over by itself.
    fn judge(context: &Context, error: KafkaError) -> Result<(), BusError> {
        match error.rdkafka_error_code() {
            // The other topics go on, and librdkafka looks for this one every few seconds.
            Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                if context.denied.worth_saying(&code.to_string(), Instant::now()) {
                    let error =
                        BusError::kafka(format!("receiving for group {}", context.group), error);
                    tracing::warn!(%error, "a subscribed topic cannot be read");
                }
                Ok(())
            }
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                // Also seen for a moment while a broker comes up; it goes on by itself then.
                tracing::warn!(%error, "a subscribed topic is not there");
                Ok(())
            }
            // Too slow between two receives: the group went on without us, the next poll rejoins.
            Some(RDKafkaErrorCode::PollExceeded) => {
                tracing::warn!(%error, "the group went on without this member, joining again");
                Ok(())
            }
            // The next record is gone, or not there yet: `Bus::partitions` tells which.
            Some(RDKafkaErrorCode::AutoOffsetReset) => Err(BusError::OutOfReach),
            _ if kafka_heals(&error) => Ok(()),
            _ => Err(BusError::kafka(format!("receiving for group {}", context.group), error)),
        }
    }

    /// Pauses or resumes what is assigned; what is assigned later follows the context's flag, also
    /// after an error.
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
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let Self { client, namespace, broken, slipped } = self;
        let client = open(client.as_ref())?;
        // Nobody pauses or resumes while this receives.
        let paused = client.context().paused.load(Ordering::SeqCst);
        let known = if paused { 0 } else { slipped.len().min(max) };
        let mut received: Vec<_> = slipped.drain(..known).collect();
        while received.is_empty() {
            // The only wait: from here to the return nothing is awaited, so nothing can be lost.
            // Rebalances happen inside these polls, so never while a batch is being worked on;
            // what a batch still holds of a revoked partition reaches its new owner as well.
            let mut polled = Some(client.recv().await);
            while let Some(result) = polled {
                match Self::take(client, namespace, result) {
                    Ok(record) if paused => slipped.extend(record),
                    Ok(record) => received.extend(record),
                    Err(error) if received.is_empty() => return Err(error),
                    Err(error) => {
                        *broken = Some(error);
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
                Err(error) if !not_ours(&error) => {
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
        // Not on the runtime's blocking threads: its end would wait for an absent broker.
        std::thread::spawn(move || {
            let committed = client.commit_consumer_state(CommitMode::Sync);
            // Leaves the group.
            drop(client);
            // Nobody listens any more if it took too long.
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
            // Not on an async thread: leaving the group takes a round trip.
            std::thread::spawn(move || drop(client));
        }
    }
}

fn open(client: Option<&StreamConsumer<Context>>) -> Result<&StreamConsumer<Context>, BusError> {
    let closed = || BusError::Unavailable { reason: "the consumer is closed".to_owned() };
    client.ok_or_else(closed)
}

/// Whether the partition has been taken away in the meantime.
fn not_ours(error: &KafkaError) -> bool {
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
