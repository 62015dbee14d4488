//! Reading: from partitions in a drawn order, as many records of each as are drawn.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::state::Place;
use super::{Memory, OffsetsReach, Shared};
use crate::{BusError, Consumer, Incoming, Position};

pub(super) struct MemoryConsumer {
    shared: Arc<Shared>,
    group: String,
    member: u64,
    partitions: Vec<Cursor>,
    bell: watch::Receiver<()>,
    paused: bool,
}

struct Cursor {
    topic: String,
    place: Place,
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
            let (place, next) = ((name, state.partition), state.committed.unwrap_or(state.low));
            partitions.push(Cursor { topic: state.topic, place, next });
        }
        drop(state);
        let (shared, bell) = (Arc::clone(&memory.shared), memory.shared.bell.subscribe());
        Ok(Self { shared, group: outer, member, partitions, bell, paused: false })
    }

    /// What is waiting, as far as chance has it; nothing only if nothing is.
    fn read(&mut self, max: usize) -> Vec<Incoming> {
        let (state, random) = (self.shared.state(), &*self.shared.random);
        let waiting = |cursor: &&mut Cursor| !state.after(&cursor.place, cursor.next).is_empty();
        let mut waiting: Vec<&mut Cursor> = self.partitions.iter_mut().filter(waiting).collect();
        let mut received = Vec::new();
        while !waiting.is_empty() && received.len() < max {
            let cursor = waiting.swap_remove(below(random, waiting.len()));
            let records = state.after(&cursor.place, cursor.next);
            let most = records.len().min(max - received.len());
            // The first partition brings at least one.
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
                // Only `resume` ends this, and it needs this future gone.
                std::future::pending::<()>().await;
            }
            // Seen before the look: whatever comes after it rings again.
            self.bell.mark_unchanged();
            let received = self.read(max.max(1));
            if !received.is_empty() {
                return Ok(received);
            }
            // Cannot fail: the sender lives as long as the broker that we share.
            let _ = self.bell.changed().await;
        }
    }

    fn store(&mut self, positions: &[Position]) -> Result<(), BusError> {
        let mut state = self.shared.state();
        let group = state.group(&self.group);
        for position in positions {
            let ours = |cursor: &&Cursor| {
                cursor.topic == position.topic && cursor.place.1 == position.partition
            };
            if let Some(cursor) = self.partitions.iter().find(ours) {
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
