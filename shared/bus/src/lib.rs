//! The bus between the services: the trait [`Bus`] with three implementations.
//!
//! - Apache Kafka, by librdkafka;
//! - the *log*: a single `SQLite` file with Kafka's topics, partitions, offsets and groups;
//! - [`Memory`]: a broker in memory, for simulations.
//!
//! Delivery is at least once. A consumer stores the offset after a record when the record was applied, and
//! stored offsets reach the broker later. Records whose offsets did not reach it before a crash come again.
//! `tests/conformance.rs` checks that all three behave alike.

mod error;
mod identity;
mod kafka;
mod log;
mod log_throttle;
mod memory;
mod murmur2;
mod names;
mod settings;
mod start;

use async_trait::async_trait;
use event::{Contract, Encoded, Headers};
use uuid::Uuid;

pub use error::BusError;
pub use identity::IDENTITY_TOPIC;
pub use log::{Log, LogOptions};
pub use log_throttle::LogThrottle;
pub use memory::{Memory, OffsetsReach};
pub use murmur2::partition_of;
pub use settings::{Settings, connect};
pub use start::Start;

/// The default limit on the size of a record: key, headers and value together, in bytes.
///
/// Kafka's default limit is 1 MiB for a batch with its framing. The log has the same limit, so that a record
/// that fits on one fits on the other.
pub const DEFAULT_MAX_RECORD_BYTES: usize = 1_000_000;

/// A topic to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The topic's name, without the namespace.
    pub name: &'static str,
    /// The number of partitions; at least one.
    pub partitions: i32,
    /// Whether the topic keeps the latest record of each key for ever, and only that.
    pub compacted: bool,
}

impl Topic {
    /// All topics of a contract, each with this number of partitions.
    #[must_use]
    pub fn all_of<C: Contract>(partitions: i32) -> Vec<Self> {
        let topics = C::topics().iter();
        topics
            .map(|topic| Self { name: topic.name, partitions, compacted: topic.compacted })
            .collect()
    }
}

/// A record to publish.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The topic, without the namespace.
    pub topic: String,
    /// The key, which decides the partition. Records of one key keep their order.
    pub key: String,
    /// Names and values, in order.
    pub headers: Headers,
    /// The body.
    pub value: Vec<u8>,
}

impl Outgoing {
    /// The bytes that count towards [`Bus::max_record_bytes`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        record_bytes(&self.key, &self.headers, &self.value)
    }
}

/// The bytes of a record that count towards [`Bus::max_record_bytes`].
#[must_use]
pub fn record_bytes(key: &str, headers: &Headers, value: &[u8]) -> usize {
    key.len() + headers.payload_bytes() + value.len()
}

impl From<Encoded> for Outgoing {
    fn from(Encoded { id: _, topic, key, headers, value }: Encoded) -> Self {
        let value = Box::<str>::from(value).into_string().into_bytes();
        Self { topic, key, headers, value }
    }
}

/// A record that was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The topic, without the namespace.
    pub topic: String,
    /// The partition of the topic.
    pub partition: i32,
    /// The record's offset in the partition. Offsets ascend and may have gaps.
    pub offset: i64,
    /// The key; empty if the producer gave none.
    pub key: Vec<u8>,
    /// Names and values, in order.
    pub headers: Headers,
    /// The body; empty for a tombstone.
    pub value: Vec<u8>,
}

/// How far a consumer has applied a partition's records.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// The topic, without the namespace.
    pub topic: String,
    /// The partition of the topic.
    pub partition: i32,
    /// The next offset to read, not the last one read.
    pub next: i64,
}

/// The outcome of a publish.
#[derive(Debug)]
pub struct Published {
    /// Whether the broker acknowledged each record, in the order of the records. One that was not acknowledged
    /// may have arrived all the same.
    pub acknowledged: Vec<bool>,
    /// Why not all of them were acknowledged.
    pub error: Option<BusError>,
}

/// A partition's watermarks, and the offset that a group has committed there.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionState {
    /// The topic, without the namespace.
    pub topic: String,
    /// The partition of the topic.
    pub partition: i32,
    /// The lowest offset that was not deleted; equals `high` if the partition is empty. Records that compaction
    /// removed do not count as deleted.
    pub low: i64,
    /// The offset that the next record will get.
    pub high: i64,
    /// The next offset that the group would read, if it ever committed one.
    pub committed: Option<i64>,
}

impl PartitionState {
    /// How many records the group has not applied yet.
    #[must_use]
    pub fn lag(&self) -> i64 {
        self.high - self.committed.unwrap_or(self.low)
    }

    /// Whether the group's next record exists, or will be the next one to be published. Otherwise it was deleted
    /// before the group read it, or the broker has lost records that the group has read.
    #[must_use]
    pub fn is_in_reach(&self) -> bool {
        self.committed.is_none_or(|next| (self.low..=self.high).contains(&next))
    }
}

/// A broker, which need not be reachable yet. Each method may wait for it.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Creates the topics that do not exist and waits until they can be used. Existing topics stay as they are.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] while the broker cannot be reached, [`BusError::Settings`] for an
    /// impossible topic.
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError>;

    /// Opens a producer, for one task.
    ///
    /// # Errors
    /// [`BusError::Settings`] if the client refuses a setting.
    async fn producer(&self) -> Result<Box<dyn Producer>, BusError>;

    /// Joins `group`. Records come from the group's committed offsets on, and at first from the beginning.
    ///
    /// # Errors
    /// [`BusError::UnknownTopic`], [`BusError::Unavailable`], and on the log [`BusError::Taken`] and
    /// [`BusError::OutOfReach`].
    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError>;

    /// Watermarks and committed offsets of every partition, in the order of `topics`, then by partition.
    ///
    /// # Errors
    /// [`BusError::UnknownTopic`], [`BusError::Unavailable`].
    async fn partitions(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<Vec<PartitionState>, BusError>;

    /// Sets a group's offsets to the lowest records that exist.
    ///
    /// # Errors
    /// [`BusError::GroupActive`] while the group has members; then nothing is changed.
    async fn rewind(&self, group: &str, topics: &[&str]) -> Result<(), BusError>;

    /// Opens a reader of all partitions of these topics. It belongs to no group, commits nothing, and keeps no record
    /// from being deleted.
    ///
    /// # Errors
    /// [`BusError::OutOfReach`] if a record of [`Start::At`] was deleted or lies beyond the end;
    /// [`BusError::UnknownTopic`], [`BusError::Unavailable`]; [`BusError::Settings`] where the bus cannot
    /// be read from outside.
    async fn reader(&self, topics: &[&str], from: Start) -> Result<Box<dyn Reader>, BusError> {
        let _ = from;
        let why = format!("the bus of {} cannot be read from outside", topics.join(", "));
        Err(BusError::settings("bus.url", why))
    }

    /// The id that this bus got at its first use. A bus without an id gets `proposed`. `None` if this kind of bus
    /// keeps no id, as the one in memory.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] while the broker cannot be reached.
    async fn identity(&self, proposed: Uuid) -> Result<Option<Uuid>, BusError> {
        let _ = proposed;
        Ok(None)
    }

    /// The address of the bus, as in [`Settings::url`], for messages.
    fn address(&self) -> String {
        "memory".to_owned()
    }

    /// The limit on the size of a record: key, headers and value together, in bytes. A larger one is refused.
    fn max_record_bytes(&self) -> usize;
}

/// Publishes records. One task owns it and decides their order.
#[async_trait]
pub trait Producer: Send {
    /// Publishes records in order and waits for the broker's report on each, however long the broker is away.
    ///
    /// Stops at the first record that cannot be sent: the records behind it are not sent.
    async fn publish(&mut self, records: &[Outgoing]) -> Published;
}

/// Reads topics without being a member of a group. It returns each record from its start on exactly once, in the
/// order of each partition, also records of partitions that are added later.
///
/// ```
/// use quintet_bus::{Bus, BusError, Start};
///
/// /// Reads what is there, then waits for more. After an error, another reader can go on from where this one was.
/// async fn follow(bus: &dyn Bus) -> Result<(), BusError> {
///     let mut reader = bus.reader(&["trips"], Start::Lowest).await?;
///     let first = reader.read(100).await?;
///     println!("{} of the records that exist", first.len());
///     let later = reader.receive(100).await?;
///     println!("{} records, perhaps new ones", later.len());
///     let _other = bus.reader(&["trips"], Start::At(reader.positions())).await?;
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait Reader: Send {
    /// Returns about `max` records that it has not returned yet. Returns none at the end of all partitions. Cancel
    /// safe: a dropped future loses no record.
    ///
    /// # Errors
    /// If the broker is away, or refuses. [`BusError::OutOfReach`] if records were deleted before this reader
    /// returned them: no record is passed over.
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError>;

    /// Waits for a record, then returns all records that are waiting, at most `max`, without waiting for more.
    /// Cancel safe: a dropped future loses no record.
    ///
    /// # Errors
    /// Only errors that do not go away by themselves; while the broker is away the call waits.
    /// [`BusError::OutOfReach`] as in [`Reader::read`].
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError>;

    /// The next offset of each partition: it has returned all records before it, from its start on.
    fn positions(&self) -> Vec<Position>;
}

/// A member of a consumer group.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for a record, then returns all records that are waiting, at most `max`, without waiting for more.
    /// Cancel safe: a dropped future loses no record.
    ///
    /// # Errors
    /// Only errors that do not go away by themselves; while the broker is away the call waits.
    /// [`BusError::OutOfReach`] if records were deleted before this group read them: no record is passed over.
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError>;

    /// Stores how far the records were applied. Stored positions reach the broker after a while, and at
    /// [`Consumer::close`]; a crash before that makes the records come again. Positions of partitions that this
    /// member does not have any more are ignored.
    ///
    /// # Errors
    /// If the client refuses, which no retry helps against.
    fn store(&mut self, positions: &[Position]) -> Result<(), BusError>;

    /// From now on [`Consumer::receive`] keeps this member in the group and never returns a record.
    ///
    /// # Errors
    /// If the client refuses.
    fn pause(&mut self) -> Result<(), BusError>;

    /// Ends [`Consumer::pause`]: [`Consumer::receive`] goes on with the first record not returned yet.
    ///
    /// # Errors
    /// If the client refuses.
    fn resume(&mut self) -> Result<(), BusError>;

    /// Commits the stored positions and leaves the group.
    ///
    /// # Errors
    /// If the commit failed. The records then come again.
    async fn close(self: Box<Self>) -> Result<(), BusError>;
}
