//! The only member of a group on the log. It returns new records of all its partitions, fairly among them.
//!
//! - *When it runs*: its owner calls `receive` in a loop, and `store` after records were applied. [`Flush`]
//!   commits stored positions in the background.
//! - *What it assumes*: the group lock keeps every other member out, so that only this consumer's cursors move.
//!   One task uses it: `receive`, `pause` and `resume` take `&mut self`.
//! - *A dropped `receive` loses nothing*: cursors move only when the records are about to be returned.
//! - *No record is passed over*: in a topic that is not compacted, offsets have no gaps. If the record at a
//!   cursor does not exist although the partition's head is beyond it, it was deleted unread, and `receive` fails
//!   with [`BusError::OutOfReach`].
//! - *When the file cannot be read*: `receive` logs the error, at most once a minute, and polls on. It returns
//!   an error that cannot go away by itself.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use event::{Headers, InvalidHeaders};
use futures::TryStreamExt;
use sqlx::SqliteConnection;
use tokio::sync::watch;

use super::flush::Flush;
use super::group::GroupLock;
use crate::names::Namespace;
use crate::{BusError, Consumer, Incoming, LogThrottle, PartitionState, Position};

/// A receive stops at this size, even below `max` records, so that large records do not fill the memory.
const MAX_RECEIVED_BYTES: usize = 16 << 20;

/// See the module.
pub(super) struct LogConsumer {
    // Declared before the lock, so that it is dropped first: it must not commit once the group is free.
    flush: Flush,
    reader: SqliteConnection,
    cursors: Vec<Cursor>,
    /// The index of the cursor that is served first next time.
    first: usize,
    wake_ups: watch::Receiver<u64>,
    poll: Duration,
    paused: bool,
    throttle: LogThrottle,
    _lock: GroupLock,
}

/// How far a partition has been read.
#[derive(Clone)]
pub(super) struct Cursor {
    pub(super) topic: String,
    /// The topic's name in the log, with the namespace.
    name: String,
    pub(super) partition: i32,
    /// The next offset to read.
    pub(super) next: i64,
    /// Whether the topic is compacted: then its offsets have gaps, which are no loss.
    compacted: bool,
}

impl Cursor {
    /// A cursor before the offset `next` of a partition.
    pub(super) fn at(
        state: &PartitionState,
        next: i64,
        namespace: &Namespace,
    ) -> Result<Self, BusError> {
        let (topic, partition) = (state.topic.clone(), state.partition);
        let name = namespace.outer("topic", &topic)?;
        Ok(Self { topic, name, partition, next, compacted: false })
    }
}

/// A cursor for each partition, at the offset that the group has committed, or else at the beginning.
/// `compacted` has the names in the log of compacted topics.
pub(super) fn committed_cursors(
    states: &[PartitionState],
    compacted: &HashSet<String>,
    namespace: &Namespace,
) -> Result<Vec<Cursor>, BusError> {
    let cursors = states.iter().map(|state| {
        let cursor = Cursor::at(state, state.committed.unwrap_or(state.low), namespace)?;
        Ok(Cursor { compacted: compacted.contains(&cursor.name), ..cursor })
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

impl LogConsumer {
    pub(super) fn new(
        lock: GroupLock,
        reader: SqliteConnection,
        flush: Flush,
        cursors: Vec<Cursor>,
        wake_ups: watch::Receiver<u64>,
        poll: Duration,
    ) -> Self {
        let (paused, throttle) = (false, LogThrottle::default());
        Self { flush, reader, cursors, first: 0, wake_ups, poll, paused, throttle, _lock: lock }
    }

    /// At most `max` waiting records. Empty only if none is waiting.
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
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
            fetch(&mut self.reader, cursor, records, &mut received, &mut bytes).await?;
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
                .fetch_all(&mut self.reader)
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
pub(super) async fn fetch(
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

#[async_trait]
impl Consumer for LogConsumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        loop {
            if self.paused {
                // Waits until the future is dropped, which `resume` requires.
                std::future::pending::<()>().await;
            }
            // Before the read: a publish after it is another wake-up.
            self.wake_ups.mark_unchanged();
            match self.read(max.max(1)).await {
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

    fn store(&mut self, positions: &[Position]) -> Result<(), BusError> {
        for position in positions {
            let is_same = |cursor: &&Cursor| {
                cursor.topic == position.topic && cursor.partition == position.partition
            };
            if let Some(cursor) = self.cursors.iter().find(is_same) {
                self.flush.store(cursor.name.clone(), cursor.partition, position.next);
            }
        }
        Ok(())
    }

    fn pause(&mut self) -> Result<(), BusError> {
        self.paused = true;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), BusError> {
        self.paused = false;
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<(), BusError> {
        self.flush.finish().await
    }
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
