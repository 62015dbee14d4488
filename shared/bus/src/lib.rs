//! The bus between the services: one small trait, implemented by Apache Kafka and by the *log*, a
//! single `SQLite` file with Kafka's topics, partitions, offsets and groups; and, for simulations, in
//! memory.
//!
//! Delivery is at least once: offsets reach the broker lazily, after the reader has stored them.
//! One suite (`tests/conformance.rs`) holds all three to the same behaviour.

mod error;
mod identity;
mod kafka;
mod log;
mod memory;
mod murmur2;
mod names;
mod said;
mod settings;

use async_trait::async_trait;
use event::{Contract, Encoded, Headers};
use uuid::Uuid;

pub use error::BusError;
pub use identity::IDENTITY_TOPIC;
pub use log::{Log, LogOptions};
pub use memory::{Memory, OffsetsReach};
pub use murmur2::partition_of;
pub use said::Said;
pub use settings::{Settings, connect};

/// Key, headers and value of one record together, in bytes, unless the broker is told otherwise.
///
/// Kafka's default limit is 1 MiB for a whole batch with its framing; the log keeps the same limit,
/// so that what fits on one fits on the other.
pub const DEFAULT_MAX_RECORD_BYTES: usize = 1_000_000;

/// A topic as it is to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name, without the namespace.
    pub name: &'static str,
    /// How many partitions it gets; at least one.
    pub partitions: i32,
    /// Whether only the latest record per key is kept for ever.
    pub compacted: bool,
}

impl Topic {
    /// All topics of a contract, with so many partitions each.
    #[must_use]
    pub fn all_of<C: Contract>(partitions: i32) -> Vec<Self> {
        let topics = C::topics().iter();
        topics.map(|it| Self { name: it.name, partitions, compacted: it.compacted }).collect()
    }
}

/// A record to publish.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The topic, without the namespace.
    pub topic: String,
    /// Decides the partition: records of one key keep their order.
    pub key: String,
    /// Names and values, in order.
    pub headers: Headers,
    /// The body.
    pub value: Vec<u8>,
}

impl Outgoing {
    /// What counts against [`Bus::max_record_bytes`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        record_bytes(&self.key, &self.headers, &self.value)
    }
}

/// What of a record counts against [`Bus::max_record_bytes`].
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

/// A record as it was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The topic, without the namespace.
    pub topic: String,
    /// The partition of the topic.
    pub partition: i32,
    /// Its place in the partition; rising, not always without gaps.
    pub offset: i64,
    /// The key; empty if the producer gave none.
    pub key: Vec<u8>,
    /// Names and values, in order.
    pub headers: Headers,
    /// The body; empty for a tombstone.
    pub value: Vec<u8>,
}

/// How far a partition has been worked off.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// The topic, without the namespace.
    pub topic: String,
    /// The partition of the topic.
    pub partition: i32,
    /// The next offset to read, not the last one read.
    pub next: i64,
}

/// What became of a publish.
#[derive(Debug)]
pub struct Published {
    /// One per record, in the order given. `false` with an error may still have arrived.
    pub acknowledged: Vec<bool>,
    /// Why not all of them were acknowledged.
    pub error: Option<BusError>,
}

/// A partition's watermarks and how far a group has come.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionState {
    /// The topic, without the namespace.
    pub topic: String,
    /// The partition of the topic.
    pub partition: i32,
    /// The lowest offset still there; equals `high` when there is none. What compaction takes does
    /// not count.
    pub low: i64,
    /// The offset that the next record will get.
    pub high: i64,
    /// The next offset that the group would read, if it ever committed one.
    pub committed: Option<i64>,
}

impl PartitionState {
    /// How many records the group has yet to work off.
    #[must_use]
    pub fn lag(&self) -> i64 {
        self.high - self.committed.unwrap_or(self.low)
    }

    /// Whether the next record of the group can still come, or come one day.
    #[must_use]
    pub fn is_in_reach(&self) -> bool {
        self.committed.is_none_or(|next| (self.low..=self.high).contains(&next))
    }
}

/// A broker, reached or not. Every method may wait for it.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Creates what is missing and waits until it can be used; existing topics stay as they are.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] while the broker cannot be reached, [`BusError::Settings`] for an
    /// impossible topic.
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError>;

    /// A producer of its own, for one task.
    ///
    /// # Errors
    /// [`BusError::Settings`] if the client refuses a setting.
    async fn producer(&self) -> Result<Box<dyn Producer>, BusError>;

    /// Joins `group`; records come from its stored offsets on, at first from the beginning.
    ///
    /// # Errors
    /// [`BusError::UnknownTopic`], [`BusError::Unavailable`], and on the log [`BusError::Taken`] and
    /// [`BusError::OutOfReach`].
    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError>;

    /// Watermarks and committed offsets of every partition, ordered as `topics` and by partition.
    ///
    /// # Errors
    /// [`BusError::UnknownTopic`], [`BusError::Unavailable`].
    async fn partitions(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<Vec<PartitionState>, BusError>;

    /// Sets a group's offsets to the lowest records that are left.
    ///
    /// # Errors
    /// [`BusError::GroupActive`] while the group has members; nothing is changed then.
    async fn rewind(&self, group: &str, topics: &[&str]) -> Result<(), BusError>;

    /// Reads topics from their lowest records on, as no member of any group: nothing is committed.
    ///
    /// # Errors
    /// [`BusError::UnknownTopic`], [`BusError::Unavailable`]; [`BusError::Settings`] where the bus cannot
    /// be read from outside.
    async fn reader(&self, topics: &[&str]) -> Result<Box<dyn Reader>, BusError> {
        let why = format!("the bus of {} cannot be read from outside", topics.join(", "));
        Err(BusError::settings("bus.url", why))
    }

    /// The id that this bus was given at its first use: `proposed` from now on, if there was none. `None`
    /// where a bus keeps none, as in memory.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] while the broker cannot be reached.
    async fn identity(&self, proposed: Uuid) -> Result<Option<Uuid>, BusError> {
        let _ = proposed;
        Ok(None)
    }

    /// Where it is, as in [`Settings::url`], for messages.
    fn address(&self) -> String {
        "memory".to_owned()
    }

    /// The most bytes of key, headers and value together; a larger record is refused.
    fn max_record_bytes(&self) -> usize;
}

/// Sends records. Not shared: whoever owns it decides the order.
#[async_trait]
pub trait Producer: Send {
    /// Publishes in order and waits for every report, however long the broker is away.
    ///
    /// Stops at the first record that cannot be sent: what follows it is not sent.
    async fn publish(&mut self, records: &[Outgoing]) -> Published;
}

/// Reads what is on the bus.
#[async_trait]
pub trait Reader: Send {
    /// What is there and was not returned yet, about `max` at most, in the order of each partition; nothing
    /// once the end has been reached, and later what has come since. Dropped before it has returned, the
    /// reader cannot be used any more.
    ///
    /// # Errors
    /// If the broker is away, or refuses.
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError>;
}

/// A member of a consumer group.
#[async_trait]
pub trait Consumer: Send {
    /// Waits until at least one record is there, then returns what is waiting, at most `max`,
    /// without waiting to fill. Cancel safe: a dropped future loses nothing.
    ///
    /// # Errors
    /// Only what does not heal by itself; a broker that is away is waited for.
    /// [`BusError::OutOfReach`] where records were deleted before this group read them: none is
    /// passed over.
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError>;

    /// Remembers these as done. They reach the broker lazily and at [`Consumer::close`], so that
    /// redelivery after a crash really happens. Partitions no longer owned are ignored.
    ///
    /// # Errors
    /// If the client refuses, which no retry heals.
    fn store(&mut self, positions: &[Position]) -> Result<(), BusError>;

    /// From now on [`Consumer::receive`] keeps the membership alive and never returns a record.
    ///
    /// # Errors
    /// If the client refuses.
    fn pause(&mut self) -> Result<(), BusError>;

    /// Ends [`Consumer::pause`]; goes on with the first record not yet returned.
    ///
    /// # Errors
    /// If the client refuses.
    fn resume(&mut self) -> Result<(), BusError>;

    /// Commits what was stored and leaves the group.
    ///
    /// # Errors
    /// If the commit failed: the records are delivered again.
    async fn close(self: Box<Self>) -> Result<(), BusError>;
}
