//! Reads topics without being a member of a group.

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::consumer::{Cursor, fetch};
use crate::names::Namespace;
use crate::{BusError, Incoming, PartitionState, Reader};

pub(super) struct LogReader {
    connection: SqliteConnection,
    partitions: Vec<Cursor>,
}

impl LogReader {
    pub(super) fn new(
        connection: SqliteConnection,
        namespace: &Namespace,
        states: &[PartitionState],
        first: fn(&PartitionState) -> i64,
    ) -> Result<Self, BusError> {
        let partitions = states.iter().map(|state| Cursor::at(state, first(state), namespace));
        Ok(Self { connection, partitions: partitions.collect::<Result<_, _>>()? })
    }
}

#[async_trait]
impl Reader for LogReader {
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        let (mut received, mut bytes) = (Vec::new(), 0);
        for cursor in &mut self.partitions {
            let left = i64::try_from(max.saturating_sub(received.len())).unwrap_or(i64::MAX);
            fetch(&mut self.connection, cursor, left, &mut received, &mut bytes).await?;
            let is_of_cursor = |record: &&Incoming| {
                record.partition == cursor.partition && record.topic == cursor.topic
            };
            if let Some(last) = received.last().filter(is_of_cursor) {
                cursor.next = last.offset + 1;
            }
        }
        Ok(received)
    }
}
