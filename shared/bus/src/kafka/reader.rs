//! Reads topics without being a member of a group.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::admin::{ANSWER, partition_count};
use super::blocking;
use super::config::Config;
use super::consumer::incoming;
use super::context::Context;
use crate::error::kafka_heals;
use crate::names::Namespace;
use crate::{BusError, Incoming, Reader};

/// librdkafka requires a group. The reader never joins it, and commits nothing.
const GROUP: &str = "quintet-reader";
/// How long a poll waits for a record before the reader asks whether it has reached the end.
const POLL_TIMEOUT: Duration = Duration::from_millis(250);
/// How often a reader from the end asks where the ends are. It needs to know only that the broker is still there, and the
/// question takes a request for each partition.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// See the module. `None` while a read is under way, and for good if that read was dropped.
pub(super) struct KafkaReader(Option<Reading>);

/// The record of each partition that a reader returns first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// The lowest one.
    Lowest,
    /// The one that will be published next.
    Next,
}

struct Reading {
    client: BaseConsumer<Context>,
    first: First,
    /// When it asked for the ends of all partitions.
    asked: Cell<Instant>,
    namespace: Namespace,
    /// The next offset of each partition, by topic and partition.
    next: HashMap<(String, i32), i64>,
}

impl KafkaReader {
    /// Opens a reader of `topics` (their names at the broker) and waits for the broker's answers.
    pub(super) fn open(
        config: &Config,
        namespace: Namespace,
        topics: &[String],
        first: First,
    ) -> Result<Self, BusError> {
        let mut config = config.consumer(&namespace.outer("group", GROUP)?);
        let client: BaseConsumer<Context> = config
            .set("enable.auto.commit", "false")
            .create_with_context(Context::of_group(GROUP))
            .map_err(|error| BusError::kafka("creating a client", error))?;
        let (mut next, mut from) = (HashMap::new(), TopicPartitionList::new());
        for topic in topics {
            for partition in 0..partition_count(client.client(), &namespace, topic)? {
                let (low, high) = ends(&client, &namespace, topic, partition)?;
                let offset = if first == First::Lowest { low } else { high };
                from.add_partition_offset(topic, partition, Offset::Offset(offset))
                    .map_err(|error| BusError::kafka("naming an offset", error))?;
                next.insert((topic.clone(), partition), offset);
            }
        }
        client.assign(&from).map_err(|error| BusError::kafka("assigning partitions", error))?;
        let asked = Cell::new(Instant::now());
        Ok(Self(Some(Reading { client, first, asked, namespace, next })))
    }
}

/// The low and the high watermark of a partition.
fn ends(
    client: &BaseConsumer<Context>,
    namespace: &Namespace,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), BusError> {
    client.fetch_watermarks(topic, partition, ANSWER).map_err(|error| {
        let topic = namespace.inner(topic);
        BusError::kafka(format!("asking for the ends of topic {topic}"), error)
    })
}

impl Reading {
    fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        let mut received = Vec::new();
        while received.len() < max {
            let timeout = if received.is_empty() { POLL_TIMEOUT } else { Duration::ZERO };
            match self.client.poll(timeout) {
                Some(Ok(message)) => {
                    let partition = (message.topic().to_owned(), message.partition());
                    self.next.insert(partition, message.offset() + 1);
                    received.push(incoming(&self.namespace, &message));
                }
                Some(Err(error)) => {
                    // The reader does not join its group, so it needs no right on it.
                    let of_group = Some(RDKafkaErrorCode::GroupAuthorizationFailed);
                    if error.rdkafka_error_code() != of_group && !kafka_heals(&error) {
                        return Err(BusError::kafka("reading", error));
                    }
                }
                None if !received.is_empty() || self.is_done()? => break,
                None => {}
            }
        }
        Ok(received)
    }

    /// Whether a read without records may return.
    fn is_done(&self) -> Result<bool, BusError> {
        if self.first == First::Next && self.asked.get().elapsed() < ASK_EVERY {
            return Ok(true);
        }
        self.asked.set(Instant::now());
        self.is_at_end()
    }

    fn is_at_end(&self) -> Result<bool, BusError> {
        for ((topic, partition), next) in &self.next {
            let (_, high) = ends(&self.client, &self.namespace, topic, *partition)?;
            if *next < high {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl Reader for KafkaReader {
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        let dropped = || BusError::Unavailable {
            reason: "an earlier read of this reader was dropped: open another reader".to_owned(),
        };
        let mut reading = self.0.take().ok_or_else(dropped)?;
        let (reading, read) = blocking(move || {
            let read = reading.read(max);
            Ok((reading, read))
        })
        .await?;
        self.0 = Some(reading);
        read
    }
}
