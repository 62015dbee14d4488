//! Consumer groups: the lock of their one member, their subscriptions, and their committed offsets.

use std::fs::{File, TryLockError};
use std::path::Path;

use sqlx::SqliteConnection;

use super::writer::open_beside;
use crate::names::Namespace;
use crate::{BusError, PartitionState};

/// The membership of a group, as a locked file. The operating system unlocks it when the process ends.
pub(super) struct GroupLock {
    _file: File,
}

impl GroupLock {
    /// Becomes the group's member. `None` if the group has a member.
    pub(super) fn take(path: &Path, group: &str) -> Result<Option<Self>, BusError> {
        let file = open_beside(path, &format!("group-{group}.lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(BusError::io(format!("locking group {group}"), error))
            }
        }
    }
}

/// Stores that the group reads these topics and no others.
pub(super) async fn subscribe(
    connection: &mut SqliteConnection,
    group: &str,
    topics: &[String],
) -> Result<(), BusError> {
    sqlx::query("delete from subscription where \"group\" = ?")
        .bind(group)
        .execute(&mut *connection)
        .await
        .map_err(BusError::db)?;
    for topic in topics {
        sqlx::query("insert into subscription values (?, ?) on conflict do nothing")
            .bind(group)
            .bind(topic)
            .execute(&mut *connection)
            .await
            .map_err(BusError::db)?;
    }
    Ok(())
}

/// Stores the next offset that the group is to read.
pub(super) async fn commit(
    connection: &mut SqliteConnection,
    group: &str,
    topic: &str,
    partition: i32,
    next: i64,
) -> Result<(), BusError> {
    sqlx::query(
        "insert into group_offset values (?, ?, ?, ?) \
         on conflict (\"group\", topic, partition) do update set next = excluded.next",
    )
    .bind(group)
    .bind(topic)
    .bind(partition)
    .bind(next)
    .execute(connection)
    .await
    .map_err(BusError::db)?;
    Ok(())
}

/// Watermarks and committed offsets of all partitions. `group` and `topics` are the names in the log.
pub(super) async fn states(
    connection: &mut SqliteConnection,
    namespace: &Namespace,
    group: &str,
    topics: &[String],
) -> Result<Vec<PartitionState>, BusError> {
    let mut states = Vec::new();
    for topic in topics {
        let rows: Vec<(i32, i64, Option<i64>, Option<i64>)> = sqlx::query_as(
            // Records that compaction removed were not missed, so the low watermark of a compacted topic is 0.
            "select h.partition, h.next, \
                 iif(t.compacted, 0, (select min(r.offset) from record r \
                  where r.topic = h.topic and r.partition = h.partition)), \
                 (select g.next from group_offset g \
                  where g.\"group\" = ? and g.topic = h.topic and g.partition = h.partition) \
             from head h join topic t on t.name = h.topic where h.topic = ? order by h.partition",
        )
        .bind(group)
        .bind(topic)
        .fetch_all(&mut *connection)
        .await
        .map_err(BusError::db)?;
        let topic = namespace.inner(topic);
        if rows.is_empty() {
            return Err(BusError::UnknownTopic { topic: topic.to_owned() });
        }
        states.extend(rows.into_iter().map(|(partition, high, low, committed)| PartitionState {
            topic: topic.to_owned(),
            partition,
            low: low.unwrap_or(high),
            high,
            committed,
        }));
    }
    Ok(states)
}
