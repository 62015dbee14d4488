//! Reading: what is new in all partitions, fairly between them.

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
use crate::{BusError, Consumer, Incoming, PartitionState, Position, Said};

/// A receive stops here, whatever `max` says, so that large records do not fill the memory.
const MAX_RECEIVED_BYTES: usize = 16 << 20;

pub(super) struct LogConsumer {
    // Before the lock: it must not write any more once the group is free.
    flush: Flush,
    reader: SqliteConnection,
    partitions: Vec<Cursor>,
    /// The partition that is served first next time.
    first: usize,
    bell: watch::Receiver<u64>,
    poll: Duration,
    paused: bool,
    said: Said,
    _lock: GroupLock,
}

/// How far a partition has been read.
#[derive(Clone)]
pub(super) struct Cursor {
    pub(super) topic: String,
    /// The topic's name in the log, with the namespace.
    name: String,
    pub(super) partition: i32,
    pub(super) next: i64,
    /// Whether its offsets have gaps that are no loss.
    compacted: bool,
}

impl Cursor {
    /// Before this offset of a partition.
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

impl LogConsumer {
    pub(super) fn new(
        lock: GroupLock,
        reader: SqliteConnection,
        flush: Flush,
        namespace: &Namespace,
        (states, compacted): (&[PartitionState], &HashSet<String>),
        bell: watch::Receiver<u64>,
        poll: Duration,
    ) -> Result<Self, BusError> {
        let mut partitions = Vec::with_capacity(states.len());
        for state in states {
            let mut cursor = Cursor::at(state, state.committed.unwrap_or(state.low), namespace)?;
            cursor.compacted = compacted.contains(&cursor.name);
            partitions.push(cursor);
        }
        let (paused, said) = (false, Said::default());
        Ok(Self { flush, reader, partitions, first: 0, bell, poll, paused, said, _lock: lock })
    }

    /// What is waiting; nothing only if nothing is.
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        loop {
            let waiting = self.waiting().await?;
            let shares = shares(&waiting, self.first, max);
            if shares.is_empty() {
                return Ok(Vec::new());
            }
            let received = self.read_shares(&waiting, shares).await?;
            if !received.is_empty() {
                return Ok(received);
            }
        }
    }

    /// Positions move only at the end, so that a dropped future loses nothing.
    async fn read_shares(
        &mut self,
        waiting: &[i64],
        shares: Vec<(usize, i64)>,
    ) -> Result<Vec<Incoming>, BusError> {
        let mut received = Vec::new();
        let mut next = Vec::new();
        let mut bytes = 0;
        for (index, share) in shares {
            if bytes >= MAX_RECEIVED_BYTES {
                break;
            }
            let before = received.len();
            let cursor = &self.partitions[index];
            fetch(&mut self.reader, cursor, share, &mut received, &mut bytes).await?;
            let read = &received[before..];
            let first = read.first().map(|first| first.offset);
            if first != Some(cursor.next) && !cursor.compacted {
                return Err(BusError::OutOfReach);
            }
            // Nothing below the head: compaction took it.
            let after = read.last().map_or(cursor.next + waiting[index], |last| last.offset + 1);
            next.push((index, after));
        }
        for (index, after) in next {
            self.partitions[index].next = after;
            self.first = (index + 1) % self.partitions.len();
        }
        Ok(received)
    }

    /// How many offsets lie before each partition's head.
    async fn waiting(&mut self) -> Result<Vec<i64>, BusError> {
        // All of the log's heads: a few dozen rows cost less than a query per topic.
        let rows: Vec<(String, i32, i64)> =
            sqlx::query_as("select topic, partition, next from head")
                .fetch_all(&mut self.reader)
                .await
                .map_err(BusError::db)?;
        let rows = rows.into_iter();
        let heads: HashMap<_, _> = rows.map(|(t, p, next)| ((t, p), next)).collect();
        let waiting = self.partitions.iter().map(|cursor| {
            let head = heads.get(&(cursor.name.clone(), cursor.partition));
            head.map_or(0, |head| head - cursor.next)
        });
        Ok(waiting.collect())
    }
}

/// How many records of which partition: everybody an equal share, what one leaves goes to the rest.
fn shares(waiting: &[i64], first: usize, max: usize) -> Vec<(usize, i64)> {
    let order = (first..waiting.len()).chain(0..first.min(waiting.len()));
    let mut shares: Vec<_> = order.filter(|&index| waiting[index] > 0).collect();
    // Those with the least first: what they leave is divided among the others.
    let rotated = shares.clone();
    shares.sort_by_key(|&index| waiting[index]);
    if max < shares.len() {
        return rotated.into_iter().take(max).map(|index| (index, 1)).collect();
    }
    let mut left = i64::try_from(max).unwrap_or(i64::MAX);
    let mut granted = vec![0; waiting.len()];
    let mut takers = i64::try_from(shares.len()).unwrap_or(i64::MAX);
    for index in shares {
        let share = waiting[index].min(left.div_euclid(takers));
        granted[index] = share;
        left -= share;
        takers -= 1;
    }
    let granted = rotated.into_iter().map(|index| (index, granted[index]));
    granted.collect()
}

/// Appends up to `share` records after the cursor.
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
                // Only `resume` ends this, and it needs this future gone.
                std::future::pending::<()>().await;
            }
            // Seen before the look: whatever comes after it rings again.
            self.bell.mark_unchanged();
            match self.read(max.max(1)).await {
                Ok(received) if received.is_empty() => {}
                Err(error) if error.is_transient() => {
                    if self.said.worth_saying(&error.to_string(), Instant::now()) {
                        tracing::warn!(%error, "the log cannot be read, trying again");
                    }
                }
                done => return done,
            }
            // Without file events the bell is closed; the poll alone is left then.
            let bell = self.bell.changed();
            let rung = async {
                if bell.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let _slow_poll = tokio::time::timeout(self.poll, rung).await;
        }
    }

    fn store(&mut self, positions: &[Position]) -> Result<(), BusError> {
        for position in positions {
            let ours = |cursor: &&Cursor| {
                cursor.topic == position.topic && cursor.partition == position.partition
            };
            if let Some(cursor) = self.partitions.iter().find(ours) {
                self.flush.remember(cursor.name.clone(), cursor.partition, position.next);
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

    #[test]
    fn every_partition_gets_its_share_and_nothing_is_left_over() {
        assert_eq!(shares(&[5, 100, 0, 100], 0, 65), [(0, 5), (1, 30), (3, 30)]);
        assert_eq!(shares(&[1, 1], 1, 10), [(1, 1), (0, 1)]);
        assert_eq!(shares(&[0, 0], 0, 10), []);
    }

    #[test]
    fn fewer_places_than_partitions_are_never_exceeded() {
        let total: i64 = shares(&[9; 7], 3, 4).iter().map(|(_, share)| share).sum();
        assert_eq!(total, 4);
        assert_eq!(shares(&[9, 1, 9], 2, 2), [(2, 1), (0, 1)]);
    }
}
