//! Publishes a batch of records in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use clock::Clock;
use sqlx::SqliteConnection;
use tokio::sync::Mutex;

use super::writer::Writer;
use crate::names::Namespace;
use crate::{BusError, Outgoing, Producer, Published, partition_of};

pub(super) struct LogProducer {
    pub(super) writer: Arc<Mutex<Writer>>,
    pub(super) namespace: Namespace,
    pub(super) clock: Arc<dyn Clock>,
    /// See [`crate::Bus::max_record_bytes`].
    pub(super) limit: usize,
}

#[async_trait]
impl Producer for LogProducer {
    async fn publish(&mut self, records: &[Outgoing]) -> Published {
        let mut acknowledged = vec![false; records.len()];
        let error = match self.append(records).await {
            Ok((written, refused)) => {
                acknowledged[..written].fill(true);
                refused
            }
            Err(error) => Some(error),
        };
        Published { acknowledged, error }
    }
}

impl LogProducer {
    /// Appends the records up to the first that the log refuses. Returns how many, and why it refused that one.
    async fn append(&self, records: &[Outgoing]) -> Result<(usize, Option<BusError>), BusError> {
        if records.is_empty() {
            return Ok((0, None));
        }
        let at = self.clock.now().as_millisecond();
        let mut writer = self.writer.lock().await;
        let mut transaction = writer.begin().await?;
        let mut heads = Heads::default();
        let mut rows = Vec::with_capacity(records.len());
        let mut refused = None;
        for record in records {
            match self.place(transaction.connection(), &mut heads, record).await? {
                Ok(row) => rows.push(row),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        insert(transaction.connection(), &rows, at).await?;
        heads.save(transaction.connection()).await?;
        transaction.commit_and_wake().await?;
        Ok((rows.len(), refused))
    }

    /// Gives the record its partition and offset. The inner error says why the log refuses this record; the
    /// outer one says that the database failed.
    async fn place<'a>(
        &self,
        connection: &mut SqliteConnection,
        heads: &mut Heads,
        record: &'a Outgoing,
    ) -> Result<Result<Row<'a>, BusError>, BusError> {
        if record.bytes() > self.limit {
            return Ok(Err(BusError::TooLarge {
                topic: record.topic.clone(),
                key: record.key.clone(),
                bytes: record.bytes(),
                limit: self.limit,
            }));
        }
        let topic = match self.namespace.outer("topic", &record.topic) {
            Ok(topic) => topic,
            Err(error) => return Ok(Err(error)),
        };
        let partitions = heads.of_topic(connection, &topic).await?.len();
        let Ok(partitions @ 1..) = i32::try_from(partitions) else {
            return Ok(Err(BusError::UnknownTopic { topic: record.topic.clone() }));
        };
        let partition = partition_of(record.key.as_bytes(), partitions);
        let offset = heads.take_offset(&topic, partition);
        Ok(Ok(Row { topic, partition, offset, record }))
    }
}

/// The heads of the partitions of a batch's topics.
#[derive(Default)]
struct Heads {
    /// The head of each partition, by topic.
    topics: BTreeMap<String, Vec<Head>>,
}

/// The head of a partition.
struct Head {
    /// The offset that the next record gets.
    next: i64,
    /// Whether the batch has a record for this partition.
    is_changed: bool,
}

impl Heads {
    /// The heads of a topic's partitions; none if there is no such topic.
    async fn of_topic(
        &mut self,
        connection: &mut SqliteConnection,
        topic: &str,
    ) -> Result<&[Head], BusError> {
        if !self.topics.contains_key(topic) {
            let heads: Vec<i64> =
                sqlx::query_scalar("select next from head where topic = ? order by partition")
                    .bind(topic)
                    .fetch_all(connection)
                    .await
                    .map_err(BusError::db)?;
            let heads = heads.into_iter().map(|next| Head { next, is_changed: false });
            self.topics.insert(topic.to_owned(), heads.collect());
        }
        Ok(&self.topics[topic])
    }

    /// The partition's next offset, which is used up then.
    fn take_offset(&mut self, topic: &str, partition: i32) -> i64 {
        let heads = self.topics.get_mut(topic);
        let head = heads.and_then(|heads| heads.get_mut(partition.unsigned_abs() as usize));
        head.map_or(0, |head| {
            head.is_changed = true;
            head.next += 1;
            head.next - 1
        })
    }

    async fn save(&self, connection: &mut SqliteConnection) -> Result<(), BusError> {
        for (topic, heads) in &self.topics {
            for (partition, head) in (0_i32..).zip(heads).filter(|(_, head)| head.is_changed) {
                sqlx::query("update head set next = ? where topic = ? and partition = ?")
                    .bind(head.next)
                    .bind(topic)
                    .bind(partition)
                    .execute(&mut *connection)
                    .await
                    .map_err(BusError::db)?;
            }
        }
        Ok(())
    }
}

/// A record with its partition and offset.
struct Row<'a> {
    topic: String,
    partition: i32,
    offset: i64,
    record: &'a Outgoing,
}

/// Inserts many rows with each statement, in fixed sizes so that few different statements have to be prepared.
async fn insert(
    connection: &mut SqliteConnection,
    mut rows: &[Row<'_>],
    at: i64,
) -> Result<(), BusError> {
    const SIZES: [usize; 3] = [64, 8, 1];
    for size in SIZES {
        while let Some((chunk, rest)) = rows.split_at_checked(size) {
            let values = vec!["(?, ?, ?, ?, ?, ?, ?)"; size].join(", ");
            let statement = format!("insert into record values {values}");
            let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
            for row in chunk {
                query = query
                    .bind(&row.topic)
                    .bind(row.partition)
                    .bind(row.offset)
                    .bind(row.record.key.as_bytes())
                    .bind(row.record.headers.as_bytes())
                    .bind(&row.record.value)
                    .bind(at);
            }
            query.execute(&mut *connection).await.map_err(BusError::db)?;
            rows = rest;
        }
    }
    Ok(())
}
