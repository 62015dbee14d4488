//! Reads new records of some partitions of the broker in memory. The order of the partitions, and how many records of
//! each it returns, are drawn at random.

use std::sync::Arc;

use tokio::sync::watch;

use super::state::TopicPartition;
use super::{Memory, Shared};
use crate::{BusError, Incoming, PartitionState, Position};

pub(super) struct Records {
    pub(super) shared: Arc<Shared>,
    cursors: Vec<Cursor>,
    published: watch::Receiver<()>,
}

/// How far a partition was read.
struct Cursor {
    /// The caller's name of the topic.
    topic: String,
    place: TopicPartition,
    next: i64,
}

impl Records {
    /// The records of these partitions, each from the offset `next` of the same place on.
    pub(super) fn new(
        memory: &Memory,
        states: &[PartitionState],
        next: &[i64],
    ) -> Result<Self, BusError> {
        let cursors = states.iter().zip(next).map(|(state, &next)| {
            let name = memory.namespace.outer("topic", &state.topic)?;
            let place = TopicPartition { topic: name, partition: state.partition };
            Ok(Cursor { topic: state.topic.clone(), place, next })
        });
        let cursors = cursors.collect::<Result<_, BusError>>()?;
        let (shared, published) = (Arc::clone(&memory.shared), memory.shared.published.subscribe());
        Ok(Self { shared, cursors, published })
    }

    /// The place of this partition, if it is one of those that are read.
    pub(super) fn place(&self, topic: &str, partition: i32) -> Option<&TopicPartition> {
        let is_same =
            |cursor: &&Cursor| cursor.topic == topic && cursor.place.partition == partition;
        self.cursors.iter().find(is_same).map(|cursor| &cursor.place)
    }

    /// The next offset of each partition.
    pub(super) fn positions(&self) -> Vec<Position> {
        let positions = self.cursors.iter().map(|Cursor { topic, place, next }| Position {
            topic: topic.clone(),
            partition: place.partition,
            next: *next,
        });
        positions.collect()
    }

    /// Some of the waiting records, drawn at random. Empty only if none is waiting.
    pub(super) fn read(&mut self, max: usize) -> Vec<Incoming> {
        let (state, random) = (self.shared.state(), &*self.shared.random);
        let has_records =
            |cursor: &&mut Cursor| !state.records_from(&cursor.place, cursor.next).is_empty();
        let mut waiting: Vec<&mut Cursor> = self.cursors.iter_mut().filter(has_records).collect();
        let mut received = Vec::new();
        while !waiting.is_empty() && received.len() < max {
            let cursor = waiting.swap_remove(below(random, waiting.len()));
            let records = state.records_from(&cursor.place, cursor.next);
            let most = records.len().min(max - received.len());
            // At least one record of the first partition, so that the result is not empty.
            let least = usize::from(received.is_empty());
            let count = least + below(random, most - least + 1);
            received.extend_from_slice(&records[..count]);
            cursor.next += i64::try_from(count).unwrap_or(0);
        }
        received
    }

    /// Waits for a record, then returns some of the waiting ones.
    pub(super) async fn receive(&mut self, max: usize) -> Vec<Incoming> {
        loop {
            // Before the read: a publish after it changes the value again.
            self.published.mark_unchanged();
            let received = self.read(max);
            if !received.is_empty() {
                return received;
            }
            // Cannot fail: the sender is in `self.shared`.
            let _ = self.published.changed().await;
        }
    }
}

fn below(random: &dyn clock::Random, n: usize) -> usize {
    usize::try_from(random.below(n as u64)).unwrap_or(0)
}
