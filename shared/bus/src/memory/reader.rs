//! Reads the broker in memory without being a member of a group.

use async_trait::async_trait;

use super::records::Records;
use crate::{BusError, Incoming, Position, Reader};

pub(super) struct MemoryReader(pub(super) Records);

#[async_trait]
impl Reader for MemoryReader {
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        Ok(self.0.read(max.max(1)))
    }

    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        Ok(self.0.receive(max.max(1)).await)
    }

    fn positions(&self) -> Vec<Position> {
        self.0.positions()
    }
}
