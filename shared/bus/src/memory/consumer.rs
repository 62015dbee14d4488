//! The one member of a group of the broker in memory.

use async_trait::async_trait;

use super::records::Records;
use super::{Memory, OffsetsReach};
use crate::{BusError, Consumer, Incoming, Position};

pub(super) struct MemoryConsumer {
    records: Records,
    group: String,
    member: u64,
    paused: bool,
}

impl MemoryConsumer {
    pub(super) fn join(memory: &Memory, group: &str, topics: &[&str]) -> Result<Self, BusError> {
        let (namespace, outer) = (&memory.namespace, memory.namespace.outer("group", group)?);
        let mut state = memory.shared.state();
        let states = state.partitions(namespace, &outer, &namespace.topics(topics)?)?;
        let next: Vec<_> =
            states.iter().map(|state| state.committed.unwrap_or(state.low)).collect();
        let records = Records::new(memory, &states, &next)?;
        let taken = || BusError::Taken { group: group.to_owned() };
        let member = state.join(&outer).ok_or_else(taken)?;
        Ok(Self { records, group: outer, member, paused: false })
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        if self.paused {
            // Waits until the future is dropped, which `resume` requires.
            std::future::pending::<()>().await;
        }
        Ok(self.records.receive(max.max(1)).await)
    }

    fn store(&mut self, positions: &[Position]) -> Result<(), BusError> {
        let shared = &self.records.shared;
        let mut state = shared.state();
        let group = state.group(&self.group);
        for position in positions {
            if let Some(place) = self.records.place(&position.topic, position.partition) {
                group.store(place.clone(), position.next);
            }
        }
        if shared.offsets == OffsetsReach::AtOnce {
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
        self.records.shared.state().group(&self.group).flush();
        Ok(())
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        let mut state = self.records.shared.state();
        let group = state.group(&self.group);
        if group.is_member(self.member) {
            group.leave();
        }
    }
}
