//! Reads new records of some partitions of the log, fairly among them. Consumers and readers are built on it.
//!
//! - *What it assumes*: only the owner moves the cursors, and one task uses it.
//! - *A dropped call loses nothing*: cursors move only when the records are about to be returned.
//! - *No record is passed over*: in a topic that is not compacted, offsets have no gaps. If the record at a
//!   cursor does not exist although the partition's head is beyond it, it was deleted unread, and the call fails
//!   with [`BusError::OutOfReach`].
//! - *When the file cannot be read*: `receive` logs the error, at most once a minute, and polls on. It returns
//!   an error that cannot go away by itself. `read` returns each error.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use event::{Headers, InvalidHeaders};
use futures::TryStreamExt;
use sqlx::SqliteConnection;
use tokio::sync::watch;

use crate::names::Namespace;
use crate::{BusError, Incoming, LogThrottle, PartitionState, Position};

/// A call stops at this size, even below `max` records, so that large records do not fill the memory.
const MAX_RECEIVED_BYTES: usize = 16 << 20;

/// See the module.
pub(super) struct Records {
    connection: SqliteConnection,
    cursors: Vec<Cursor>,
    /// The index of the cursor that is served first next time.
    first: usize,
    wake_ups: watch::Receiver<u64>,
    poll: Duration,
    throttle: LogThrottle,
}

/// How far a partition has been read.
pub(super) struct Cursor {
    pub(super) topic: String,
    /// The topic's name in the log, with the namespace.
    pub(super) name: String,
    pub(super) partition: i32,
    /// The next offset to read.
    pub(super) next: i64,
    /// Whether the topic is compacted: then its offsets have gaps, which are no loss.
    compacted: bool,
}

/// A cursor for each partition, before the offset `next` of the same place. `compacted` has the names in the log of
/// compacted topics.
pub(super) fn cursors(
    states: &[PartitionState],
    next: &[i64],
    compacted: &HashSet<String>,
    namespace: &Namespace,
) -> Result<Vec<Cursor>, BusError> {
    let cursors = states.iter().zip(next).map(|(state, &next)| {
        let (topic, partition) = (state.topic.clone(), state.partition);
        let name = namespace.outer("topic", &topic)?;
        let compacted = compacted.contains(&name);
        Ok(Cursor { topic, name, partition, next, compacted })
    });
    cursors.collect()
}

/// How many records a receive may read from the partition of one cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    /// The index of the cursor.
    cursor: usize,
    records: i64,
}

impl Records {
    pub(super) fn new(
        connection: SqliteConnection,
        cursors: Vec<Cursor>,
        wake_ups: watch::Receiver<u64>,
        poll: Duration,
    ) -> Self {
        Self { connection, cursors, first: 0, wake_ups, poll, throttle: LogThrottle::default() }
    }

    /// The cursor of this partition, if it is one of those that are read.
    pub(super) fn cursor(&self, topic: &str, partition: i32) -> Option<&Cursor> {
        let is_same = |cursor: &&Cursor| cursor.topic == topic && cursor.partition == partition;
        self.cursors.iter().find(is_same)
    }

    /// The next offset of each partition.
    pub(super) fn positions(&self) -> Vec<Position> {
        let positions = self.cursors.iter().map(|Cursor { topic, partition, next, .. }| Position {
            topic: topic.clone(),
            partition: *partition,
            next: *next,
        });
        positions.collect()
    }

    /// Waits for a record, then returns at most `max` records that are waiting. Waits out errors that may go away by
    /// themselves, and logs them.
    pub(super) async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        loop {
            // Before the read: a publish after it is another wake-up.
            self.wake_ups.mark_unchanged();
            match self.read(max).await {
                Ok(received) if received.is_empty() => {}
                Err(error) if error.is_transient() => {
                    if self.throttle.should_log(&error.to_string(), Instant::now()) {
                        tracing::warn!(%error, "the log cannot be read, trying again");
                    }
                }
                done => return done,
            }
            let changed = self.wake_ups.changed();
            let woken = async {
                if changed.await.is_err() {
                    // There are no file events, so that only the time-out ends the wait.
                    std::future::pending::<()>().await;
                }
            };
            let _timed_out = tokio::time::timeout(self.poll, woken).await;
        }
    }

    /// At most `max` waiting records. Empty only if none is waiting.
    pub(super) async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        loop {
            let waiting = self.waiting().await?;
            let shares = shares(&waiting, self.first, max);
            if shares.is_empty() {
                return Ok(Vec::new());
            }
            let received = self.read_shares(&waiting, shares).await?;
            // Empty if compaction has removed all records below the heads. The cursors have moved, so the next
            // round finds the rest.
            if !received.is_empty() {
                return Ok(received);
            }
        }
    }

    /// Reads these shares. Cursors move only at the end, after the last await, so that a dropped future loses
    /// nothing.
    async fn read_shares(
        &mut self,
        waiting: &[i64],
        shares: Vec<Share>,
    ) -> Result<Vec<Incoming>, BusError> {
        let mut received = Vec::new();
        let mut moves = Vec::new();
        let mut bytes = 0;
        for Share { cursor: index, records } in shares {
            if bytes >= MAX_RECEIVED_BYTES {
                break;
            }
            let before = received.len();
            let cursor = &self.cursors[index];
            fetch(&mut self.connection, cursor, records, &mut received, &mut bytes).await?;
            let read = &received[before..];
            let first = read.first().map(|first| first.offset);
            if first != Some(cursor.next) && !cursor.compacted {
                return Err(BusError::OutOfReach);
            }
            // Without a record, compaction has removed all of them up to the head.
            let next = read.last().map_or(cursor.next + waiting[index], |last| last.offset + 1);
            moves.push((index, next));
        }
        for (index, next) in moves {
            self.cursors[index].next = next;
            self.first = (index + 1) % self.cursors.len();
        }
        Ok(received)
    }

    /// How many offsets there are between each cursor and its partition's head.
    async fn waiting(&mut self) -> Result<Vec<i64>, BusError> {
        // The heads of all topics: a few dozen rows cost less than a query for each topic.
        let rows: Vec<(String, i32, i64)> =
            sqlx::query_as("select topic, partition, next from head")
                .fetch_all(&mut self.connection)
                .await
                .map_err(BusError::db)?;
        let rows = rows.into_iter();
        let heads: HashMap<_, _> =
            rows.map(|(topic, partition, next)| ((topic, partition), next)).collect();
        let waiting = self.cursors.iter().map(|cursor| {
            let head = heads.get(&(cursor.name.clone(), cursor.partition));
            head.map_or(0, |head| head - cursor.next)
        });
        Ok(waiting.collect())
    }
}

/// Divides `max` records among the partitions that have any waiting, from the cursor `first` on. Each partition
/// gets an equal share. What a partition does not need is divided among the others.
fn shares(waiting: &[i64], first: usize, max: usize) -> Vec<Share> {
    let order = (first..waiting.len()).chain(0..first.min(waiting.len()));
    let rotated: Vec<_> = order.filter(|&index| waiting[index] > 0).collect();
    if max < rotated.len() {
        return rotated.into_iter().take(max).map(|cursor| Share { cursor, records: 1 }).collect();
    }
    // Partitions with the fewest records first: what they do not need is left for the others.
    let mut ascending = rotated.clone();
    ascending.sort_by_key(|&index| waiting[index]);
    let mut left = i64::try_from(max).unwrap_or(i64::MAX);
    let mut granted = vec![0; waiting.len()];
    let mut takers = i64::try_from(ascending.len()).unwrap_or(i64::MAX);
    for index in ascending {
        let share = waiting[index].min(left.div_euclid(takers));
        granted[index] = share;
        left -= share;
        takers -= 1;
    }
    rotated.into_iter().map(|cursor| Share { cursor, records: granted[cursor] }).collect()
}

/// Appends up to `share` records from the cursor on to `received`, and their size to `bytes`.
async fn fetch(
    reader: &mut SqliteConnection,
    cursor: &Cursor,
    share: i64,
    received: &mut Vec<Incoming>,
    bytes: &mut usize,
) -> Result<(), BusError> {
    let mut rows = sqlx::query_as::<_, (i64, Vec<u8>, Vec<u8>, Vec<u8>)>(
        "select offset, key, headers, value from record \
         where topic = ? and partition = ? and offset >= ? order by offset limit ?",
    )
    .bind(&cursor.name)
    .bind(cursor.partition)
    .bind(cursor.next)
    .bind(share)
    .fetch(reader);
    while let Some((offset, key, headers, value)) = rows.try_next().await.map_err(BusError::db)? {
        *bytes += key.len() + headers.len() + value.len();
        received.push(Incoming {
            topic: cursor.topic.clone(),
            partition: cursor.partition,
            offset,
            key,
            headers: Headers::from_bytes(headers).map_err(damaged)?,
            value,
        });
        if *bytes >= MAX_RECEIVED_BYTES {
            break;
        }
    }
    Ok(())
}

fn damaged(error: InvalidHeaders) -> BusError {
    BusError::db(sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(waiting: &[i64], first: usize, max: usize) -> Vec<(usize, i64)> {
        let shares = super::shares(waiting, first, max);
        shares.into_iter().map(|Share { cursor, records }| (cursor, records)).collect()
    }

    #[test]
    fn every_partition_gets_its_share_and_no_place_is_wasted() {
        assert_eq!(shares(&[5, 100, 0, 100], 0, 65), [(0, 5), (1, 30), (3, 30)]);
        assert_eq!(shares(&[1, 1], 1, 10), [(1, 1), (0, 1)]);
        assert_eq!(shares(&[0, 0], 0, 10), []);
    }

    #[test]
    fn no_more_than_max_records_are_granted_with_more_partitions_than_that() {
        let total: i64 = shares(&[9; 7], 3, 4).iter().map(|(_, records)| records).sum();
        assert_eq!(total, 4);
        assert_eq!(shares(&[9, 1, 9], 2, 2), [(2, 1), (0, 1)]);
    }
}
