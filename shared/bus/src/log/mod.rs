//! The log: one `SQLite` file that several processes share in place of a broker.
//!
//! It behaves as Kafka does, so that its users need not know the difference: topics with partitions, ascending
//! offsets that are never used twice, groups with committed offsets, retention and compaction. But a group has
//! only one member.

mod consumer;
mod flush;
mod group;
mod producer;
mod reader;
mod records;
mod retention;
mod schema;
mod wake_ups;
mod wal;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clock::{Clock, SystemClock};
use sqlx::SqliteConnection;
use tokio::sync::Mutex;
use uuid::Uuid;

use self::group::GroupLock;
use self::wake_ups::WakeUps;
use self::writer::Writer;
use crate::identity::identity;
use crate::names::Namespace;
use crate::{
    Bus, BusError, Consumer, DEFAULT_MAX_RECORD_BYTES, PartitionState, Producer, Reader, Start,
    Topic,
};

/// The options of a log.
#[derive(Clone)]
pub struct LogOptions {
    /// How long records are kept at least. Records that a group has not read yet, and the latest record of each
    /// key of a compacted topic, are kept longer.
    pub retention: Duration,
    /// How often a consumer polls, in case a wake-up was lost.
    pub poll: Duration,
    /// The limit on the size of a record: key, headers and value together, in bytes.
    pub max_record_bytes: usize,
    /// How often stored offsets are committed, like Kafka's `auto.commit.interval.ms`.
    pub commit_interval: Duration,
    /// The size that the file's write-ahead log may have when a transaction begins to write. It is larger only
    /// while a reader keeps it from being emptied; then all writes fail until that reader ends.
    pub max_wal_bytes: u64,
    /// The clock that dates the records.
    pub clock: Arc<dyn Clock>,
}

impl Default for LogOptions {
    fn default() -> Self {
        const WEEK: Duration = Duration::from_hours(7 * 24);
        Self {
            retention: WEEK,
            poll: Duration::from_millis(250),
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            commit_interval: Duration::from_secs(1),
            max_wal_bytes: 256 << 20,
            clock: Arc::new(SystemClock),
        }
    }
}

/// A log that this process has opened.
pub struct Log {
    path: PathBuf,
    namespace: Namespace,
    options: LogOptions,
    writer: Arc<Mutex<Writer>>,
    reader: Mutex<SqliteConnection>,
    wake_ups: Arc<WakeUps>,
}

impl Log {
    /// Opens the log at `path`. Creates the file and its directory if they do not exist.
    ///
    /// # Errors
    /// [`BusError::Io`] or [`BusError::Db`] if the files cannot be used, [`BusError::Settings`] if
    /// the file is a log of another version.
    pub async fn open(path: &Path, namespace: &str, options: LogOptions) -> Result<Self, BusError> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(|error| {
                BusError::io(format!("creating {}", directory.display()), error)
            })?;
        }
        let writer = Writer::open(path, options.max_wal_bytes).await?;
        let reader = Mutex::new(schema::reader(path).await?);
        Ok(Self {
            path: path.to_owned(),
            namespace: Namespace::new(namespace)?,
            options,
            writer: Arc::new(Mutex::new(writer)),
            reader,
            wake_ups: Arc::new(WakeUps::watch(path)?),
        })
    }

    /// Deletes records that are older than the retention, and returns how many. Consumers do this by themselves
    /// once an hour.
    ///
    /// # Errors
    /// [`BusError::Db`] or [`BusError::Io`]. Some records may have been deleted before the error.
    pub async fn retention(&self) -> Result<u64, BusError> {
        retention::apply(&self.writer, &self.options).await
    }

    /// The records of these partitions, each from the offset `next` of the same place on.
    async fn records(
        &self,
        mut connection: SqliteConnection,
        states: &[PartitionState],
        next: &[i64],
    ) -> Result<records::Records, BusError> {
        let compacted = schema::compacted(&mut connection).await?;
        let cursors = records::cursors(states, next, &compacted, &self.namespace)?;
        let (wake_ups, poll) = (self.wake_ups.subscribe(), self.options.poll);
        Ok(records::Records::new(connection, cursors, wake_ups, poll))
    }
}

#[async_trait]
impl Bus for Log {
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError> {
        let mut named = Vec::with_capacity(topics.len());
        for topic in topics {
            if topic.partitions < 1 {
                let why = format!("has {} partitions, give it at least one", topic.partitions);
                return Err(BusError::settings(format!("topic {}", topic.name), why));
            }
            named.push((self.namespace.outer("topic", topic.name)?, *topic));
        }
        let mut writer = self.writer.lock().await;
        let mut transaction = writer.begin().await?;
        for (name, topic) in &named {
            schema::create_topic(transaction.connection(), name, topic).await?;
        }
        transaction.commit().await
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, BusError> {
        Ok(Box::new(producer::LogProducer {
            writer: Arc::clone(&self.writer),
            namespace: self.namespace.clone(),
            clock: Arc::clone(&self.options.clock),
            limit: self.options.max_record_bytes,
        }))
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        let outer = self.namespace.outer("group", group)?;
        let topics = self.namespace.topics(topics)?;
        let lock = GroupLock::take(&self.path, &outer)?
            .ok_or_else(|| BusError::Taken { group: group.to_owned() })?;
        let reader = schema::reader(&self.path).await?;
        let states = {
            let mut writer = self.writer.lock().await;
            let mut transaction = writer.begin().await?;
            let connection = transaction.connection();
            // In one transaction, so that no record is deleted between the two: once the group has subscribed,
            // retention keeps the records that it has not read.
            let states = group::states(connection, &self.namespace, &outer, &topics).await?;
            group::subscribe(connection, &outer, &topics).await?;
            transaction.commit().await?;
            states
        };
        if !states.iter().all(PartitionState::is_in_reach) {
            return Err(BusError::OutOfReach);
        }
        let next: Vec<_> =
            states.iter().map(|state| state.committed.unwrap_or(state.low)).collect();
        let records = self.records(reader, &states, &next).await?;
        let flush = flush::Flush::start(Arc::clone(&self.writer), outer, &self.options);
        Ok(Box::new(consumer::LogConsumer::new(lock, records, flush)))
    }

    async fn partitions(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<Vec<PartitionState>, BusError> {
        let group = self.namespace.outer("group", group)?;
        let topics = self.namespace.topics(topics)?;
        let mut reader = self.reader.lock().await;
        group::states(&mut reader, &self.namespace, &group, &topics).await
    }

    async fn rewind(&self, group: &str, topics: &[&str]) -> Result<(), BusError> {
        let outer = self.namespace.outer("group", group)?;
        let topics = self.namespace.topics(topics)?;
        // Held to the end, so that no member joins while the offsets change.
        let _lock = GroupLock::take(&self.path, &outer)?
            .ok_or_else(|| BusError::GroupActive { group: group.to_owned() })?;
        let mut writer = self.writer.lock().await;
        let mut transaction = writer.begin().await?;
        let connection = transaction.connection();
        for state in group::states(connection, &self.namespace, &outer, &topics).await? {
            let topic = self.namespace.outer("topic", &state.topic)?;
            group::commit(connection, &outer, &topic, state.partition, state.low).await?;
        }
        transaction.commit().await
    }

    async fn reader(&self, topics: &[&str], from: Start) -> Result<Box<dyn Reader>, BusError> {
        let topics = self.namespace.topics(topics)?;
        let mut connection = schema::reader(&self.path).await?;
        // For a group that cannot exist: the reader needs only the watermarks.
        let states = group::states(&mut connection, &self.namespace, "", &topics).await?;
        let next = from.offsets(&states)?;
        Ok(Box::new(reader::LogReader(self.records(connection, &states, &next).await?)))
    }

    async fn identity(&self, proposed: Uuid) -> Result<Option<Uuid>, BusError> {
        identity(self, proposed).await.map(Some)
    }

    fn address(&self) -> String {
        self.namespace.of(&format!("log:{}", self.path.display()))
    }

    fn max_record_bytes(&self) -> usize {
        self.options.max_record_bytes
    }
}
