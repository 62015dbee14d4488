//! Reads topics without being a member of a group. It reads the file only, so it neither keeps records from being
//! deleted nor changes what any group reads.

use async_trait::async_trait;

use super::records::Records;
use crate::{BusError, Incoming, Position, Reader};

pub(super) struct LogReader(pub(super) Records);

#[async_trait]
impl Reader for LogReader {
    async fn read(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        self.0.read(max.max(1)).await
    }

    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        self.0.receive(max.max(1)).await
    }

    fn positions(&self) -> Vec<Position> {
        self.0.positions()
    }
}
