//! Publishing: one transaction for the whole batch.

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
    /// Appends up to the first record that the log refuses: how many, and why not that one.
    async fn append(&self, records: &[Outgoing]) -> Result<(usize, Option<BusError>), BusError> {
        if records.is_empty() {
            return Ok((0, None));
        }
        let at = self.clock.now().as_millisecond();
        let mut writer = self.writer.lock().await;
        let mut turn = writer.begin().await?;
        let mut batch = Batch::default();
        let mut rows = Vec::with_capacity(records.len());
        let mut refused = None;
        for record in records {
            match self.place(turn.connection(), &mut batch, record).await? {
                Ok(row) => rows.push(row),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        insert(turn.connection(), &rows, at).await?;
        batch.advance(turn.connection()).await?;
        turn.commit_and_ring().await?;
        Ok((rows.len(), refused))
    }

    /// The record's place in the log, or why it gets none.
    async fn place<'a>(
        &self,
        connection: &mut SqliteConnection,
        batch: &mut Batch,
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
        let heads = batch.heads(connection, &topic).await?;
        let Ok(partitions @ 1..) = i32::try_from(heads.len()) else {
            return Ok(Err(BusError::UnknownTopic { topic: record.topic.clone() }));
        };
        let partition = partition_of(record.key.as_bytes(), partitions);
        let offset = batch.take(&topic, partition);
        Ok(Ok(Row { topic, partition, offset, record }))
    }
}

/// The heads of the partitions that a batch touches.
#[derive(Default)]
struct Batch {
    /// Per topic the next offset of every partition, and whether the batch moved it.
    topics: BTreeMap<String, Vec<(i64, bool)>>,
}

impl Batch {
    async fn heads(
        &mut self,
        connection: &mut SqliteConnection,
        topic: &str,
    ) -> Result<&[(i64, bool)], BusError> {
        if !self.topics.contains_key(topic) {
            let heads: Vec<i64> =
                sqlx::query_scalar("select next from head where topic = ? order by partition")
                    .bind(topic)
                    .fetch_all(connection)
                    .await
                    .map_err(BusError::db)?;
            let heads = heads.into_iter().map(|next| (next, false)).collect();
            self.topics.insert(topic.to_owned(), heads);
        }
        Ok(&self.topics[topic])
    }

    /// The partition's next offset, which it then no longer is.
    fn take(&mut self, topic: &str, partition: i32) -> i64 {
        let heads = self.topics.get_mut(topic);
        let head = heads.and_then(|heads| heads.get_mut(partition.unsigned_abs() as usize));
        head.map_or(0, |(next, moved)| {
            *moved = true;
            *next += 1;
            *next - 1
        })
    }

    async fn advance(&self, connection: &mut SqliteConnection) -> Result<(), BusError> {
        for (topic, heads) in &self.topics {
            for (partition, (next, _)) in (0_i32..).zip(heads).filter(|(_, (_, moved))| *moved) {
                sqlx::query("update head set next = ? where topic = ? and partition = ?")
                    .bind(next)
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

/// A record with its place.
struct Row<'a> {
    topic: String,
    partition: i32,
    offset: i64,
    record: &'a Outgoing,
}

/// Many rows a statement, in few sizes so that the statements stay prepared.
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
