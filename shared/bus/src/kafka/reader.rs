//! Reads topics without being a member of a group.
//!
//! librdkafka wants a group's name for every consumer. The reader assigns all partitions to itself instead of joining
//! that group, and commits nothing, so the broker never hears of the group.
//!
//! - *A dropped call loses nothing*: it awaits nothing between the poll that takes a record and its return.
//! - *No record is passed over*: `auto.offset.reset` is `error`, so librdkafka reports a next record that does not
//!   exist. Such a call fails with [`BusError::OutOfReach`].
//! - *Partitions that are added are read*: `receive` looks for them every few seconds. All their records were published
//!   after the reader was opened, so it reads them from offset 0 on.
//! - *When the broker is away*: `receive` waits, and librdkafka reconnects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::timeout;

use super::admin::{ANSWER, partition_count};
use super::blocking;
use super::config::Config;
use super::consumer::{incoming, pass_on};
use super::context::Context;
use crate::error::kafka_heals;
use crate::names::Namespace;
use crate::{BusError, Incoming, PartitionState, Position, Reader, Start};

/// See the module.
const GROUP: &str = "quintet-reader";
/// How long `read` waits for a record before it asks whether the reader is at the end.
const POLL_TIMEOUT: Duration = Duration::from_millis(250);
/// How often `receive` looks for partitions that were added.
const LOOK: Duration = Duration::from_secs(5);
/// How much librdkafka fetches ahead, instead of its 64 MiB: a process may have many readers.
const AHEAD: [(&str, &str); 2] =
    [("queued.min.messages", "10000"), ("queued.max.messages.kbytes", "8192")];

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    topic: String,
    partition: i32,
}

/// See the module.
pub(super) struct KafkaReader {
    /// `None` once `drop` has handed it to a thread.
    client: Option<Arc<StreamConsumer<Context>>>,
    namespace: Namespace,
    /// The names at the broker.
    topics: Vec<String>,
    /// The next offset of each partition.
    next: BTreeMap<Place, i64>,
    /// The error that ended a call which had records to return first. The next call returns it.
    failed: Option<BusError>,
    /// When the reader last looked for partitions that were added.
    looked: Instant,
}

impl KafkaReader {
    /// Opens a reader of `topics` (their names at the broker) and waits for the broker's answers.
    pub(super) async fn open(
        config: &Config,
        namespace: &Namespace,
        topics: Vec<String>,
        from: &Start,
    ) -> Result<Self, BusError> {
        let mut config = config.consumer(&namespace.outer("group", GROUP)?);
        config.set("enable.auto.commit", "false");
        for (name, value) in AHEAD {
            config.set(name, value);
        }
        let client: StreamConsumer<Context> = config
            .create_with_context(Context::of_group(GROUP))
            .map_err(|error| BusError::kafka("creating a client", error))?;
        let mut reader = Self {
            client: Some(Arc::new(client)),
            namespace: namespace.clone(),
            topics,
            next: BTreeMap::new(),
            failed: None,
            looked: Instant::now(),
        };
        let states = reader.states().await?;
        let next = from.offsets(&states)?;
        let places = states
            .into_iter()
            .map(|state| Place { topic: state.topic, partition: state.partition });
        reader.next = places.zip(next).collect();
        reader.assign()?;
        Ok(reader)
    }

    fn client(&self) -> Result<&Arc<StreamConsumer<Context>>, BusError> {
        let closed = || BusError::Unavailable { reason: "the reader is closed".to_owned() };
        self.client.as_ref().ok_or_else(closed)
    }

    /// Runs a question to the broker on a thread of its own.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&StreamConsumer<Context>, &Namespace) -> Result<T, BusError>
        + Send
        + 'static,
    ) -> Result<T, BusError> {
        let (client, namespace) = (Arc::clone(self.client()?), self.namespace.clone());
        blocking(move || question(&client, &namespace)).await
    }

    /// The watermarks of all partitions.
    async fn states(&self) -> Result<Vec<PartitionState>, BusError> {
        let topics = self.topics.clone();
        let asked = self.ask(move |client, namespace| {
            let mut states = Vec::new();
            for topic in &topics {
                for partition in 0..partition_count(client.client(), namespace, topic)? {
                    let topic = namespace.inner(topic).to_owned();
                    let (low, high) = ends(client, namespace, &topic, partition)?;
                    states.push(PartitionState { topic, partition, low, high, committed: None });
                }
            }
            Ok(states)
        });
        asked.await
    }

    /// Has librdkafka fetch each partition from its next offset on. It fetches again what it has fetched ahead.
    fn assign(&self) -> Result<(), BusError> {
        let mut from = TopicPartitionList::new();
        for (Place { topic, partition }, next) in &self.next {
            let topic = self.namespace.outer("topic", topic)?;
            from.add_partition_offset(&topic, *partition, Offset::Offset(*next))
                .map_err(|error| BusError::kafka("naming an offset", error))?;
        }
        let assigned = self.client()?.assign(&from);
        assigned.map_err(|error| BusError::kafka("assigning partitions", error))
    }

    /// Looks for partitions that were added, if the last look was a while ago.
    async fn look_for_partitions(&mut self) -> Result<(), BusError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        let topics = self.topics.clone();
        let asked = self.ask(move |client, namespace| {
            let counted = topics.into_iter().map(|topic| {
                let count = partition_count(client.client(), namespace, &topic)?;
                Ok((namespace.inner(&topic).to_owned(), count))
            });
            counted.collect::<Result<Vec<_>, BusError>>()
        });
        let answer = asked.await;
        self.looked = Instant::now();
        // Without an answer the present partitions are read on. The next look may get one.
        let Ok(topics) = answer else { return Ok(()) };
        let before = self.next.len();
        for (topic, count) in topics {
            for partition in 0..count {
                self.next.entry(Place { topic: topic.clone(), partition }).or_insert(0);
            }
        }
        if self.next.len() == before { Ok(()) } else { self.assign() }
    }

    /// The next record, when there is one. Cancel safe.
    async fn poll(&self) -> Result<KafkaResult<Incoming>, BusError> {
        let polled = self.client()?.recv().await;
        Ok(polled.map(|message| incoming(&self.namespace, &message)))
    }

    /// This record and others that are waiting, at most `max`. `check` says which errors end the call.
    fn take(
        &mut self,
        first: KafkaResult<Incoming>,
        max: usize,
        check: fn(&Context, KafkaError) -> Result<(), BusError>,
    ) -> Result<Vec<Incoming>, BusError> {
        let mut received = Vec::new();
        let mut polled = Some(first);
        while let Some(result) = polled {
            let checked = match result {
                Ok(record) => {
                    let (topic, partition) = (record.topic.clone(), record.partition);
                    self.next.insert(Place { topic, partition }, record.offset + 1);
                    received.push(record);
                    Ok(())
                }
                Err(error) => self.client().and_then(|client| check(client.context(), error)),
            };
            match checked {
                Ok(()) => {}
                Err(error) if received.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
            let more = (received.len() < max).then(|| self.poll().now_or_never()).flatten();
            polled = more.transpose()?;
        }
        Ok(received)
    }

    async fn is_at_end(&self) -> Result<bool, BusError> {
        let next = self.next.clone();
        let asked = self.ask(move |client, namespace| {
            for (Place { topic, partition }, next) in &next {
                let (_, high) = ends(client, namespace, topic, *partition)?;
                if *next < high {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        asked.await
    }
}

/// The low and the high watermark of a partition.
fn ends(
    client: &StreamConsumer<Context>,
    namespace: &Namespace,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), BusError> {
    let name = namespace.outer("topic", topic)?;
    client
        .fetch_watermarks(&name, partition, ANSWER)
        .map_err(|error| BusError::kafka(format!("asking for the ends of topic {topic}"), error))
}

/// The reader does not join its group, so it needs no right on it.
fn is_of_group(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
}

/// Passes on each error that librdkafka does not get over by itself.
fn check_read(_: &Context, error: KafkaError) -> Result<(), BusError> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset) => Err(BusError::OutOfReach),
        _ if is_of_group(&error) || kafka_heals(&error) => Ok(()),
        _ => Err(BusError::kafka("reading", error)),
    }
}

/// Passes on each error that does not go away by itself.
fn check_receive(context: &Context, error: KafkaError) -> Result<(), BusError> {
    if is_of_group(&error) { Ok(()) } else { pass_on(context, error) }
}

#[async_trait]
impl Reader for KafkaReader {
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            let received = match timeout(POLL_TIMEOUT, self.poll()).await {
                Ok(polled) => self.take(polled?, max, check_read)?,
                Err(_) if self.is_at_end().await? => return Ok(Vec::new()),
                Err(_) => continue,
            };
            if !received.is_empty() {
                return Ok(received);
            }
        }
    }

    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            self.look_for_partitions().await?;
            let Ok(polled) = timeout(LOOK, self.poll()).await else { continue };
            let received = self.take(polled?, max, check_receive)?;
            if !received.is_empty() {
                return Ok(received);
            }
        }
    }

    fn positions(&self) -> Vec<Position> {
        let positions = self.next.iter().map(|(Place { topic, partition }, next)| Position {
            topic: topic.clone(),
            partition: *partition,
            next: *next,
        });
        positions.collect()
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // Not on an async thread: librdkafka waits until its own threads have ended.
            std::thread::spawn(move || drop(client));
        }
    }
}
