//! The consumer of the broker in memory. The order of the partitions, and how many records of each it returns,
//! are drawn at random.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::state::TopicPartition;
use super::{Memory, OffsetsReach, Shared};
use crate::{BusError, Consumer, Incoming, Position};

pub(super) struct MemoryConsumer {
    shared: Arc<Shared>,
    group: String,
    member: u64,
    partitions: Vec<Cursor>,
    published: watch::Receiver<()>,
    paused: bool,
}

/// How far a partition was read.
struct Cursor {
    /// The caller's name of the topic.
    topic: String,
    place: TopicPartition,
    next: i64,
}

impl MemoryConsumer {
    pub(super) fn join(memory: &Memory, group: &str, topics: &[&str]) -> Result<Self, BusError> {
        let (namespace, outer) = (&memory.namespace, memory.namespace.outer("group", group)?);
        let mut state = memory.shared.state();
        let states = state.partitions(namespace, &outer, &namespace.topics(topics)?)?;
        let taken = || BusError::Taken { group: group.to_owned() };
        let member = state.join(&outer).ok_or_else(taken)?;
        let mut partitions = Vec::with_capacity(states.len());
        for state in states {
            let name = namespace.outer("topic", &state.topic)?;
            let place = TopicPartition { topic: name, partition: state.partition };
            let next = state.committed.unwrap_or(state.low);
            partitions.push(Cursor { topic: state.topic, place, next });
        }
        drop(state);
        let (shared, published) = (Arc::clone(&memory.shared), memory.shared.published.subscribe());
        Ok(Self { shared, group: outer, member, partitions, published, paused: false })
    }

    /// Some of the waiting records, drawn at random. Empty only if none is waiting.
    fn read(&mut self, max: usize) -> Vec<Incoming> {
        let (state, random) = (self.shared.state(), &*self.shared.random);
        let has_records =
            |cursor: &&mut Cursor| !state.records_from(&cursor.place, cursor.next).is_empty();
        let mut waiting: Vec<&mut Cursor> =
            self.partitions.iter_mut().filter(has_records).collect();
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
}

fn below(random: &dyn clock::Random, n: usize) -> usize {
    usize::try_from(random.below(n as u64)).unwrap_or(0)
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        loop {
            if self.paused {
                // Waits until the future is dropped, which `resume` requires.
                std::future::pending::<()>().await;
            }
            // Before the read: a publish after it changes the value again.
            self.published.mark_unchanged();
            let received = self.read(max.max(1));
            if !received.is_empty() {
                return Ok(received);
            }
            // Cannot fail: the sender is in `self.shared`.
            let _ = self.published.changed().await;
        }
    }

    fn store(&mut self, positions: &[Position]) -> Result<(), BusError> {
        let mut state = self.shared.state();
        let group = state.group(&self.group);
        for position in positions {
            let is_same = |cursor: &&Cursor| {
                cursor.topic == position.topic && cursor.place.partition == position.partition
            };
            if let Some(cursor) = self.partitions.iter().find(is_same) {
                group.store(cursor.place.clone(), position.next);
            }
        }
        if self.shared.offsets == OffsetsReach::AtOnce {
            group.flush();
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
        self.shared.state().group(&self.group).flush();
        Ok(())
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let group = state.group(&self.group);
        if group.is_member(self.member) {
            group.leave();
        }
    }
}
