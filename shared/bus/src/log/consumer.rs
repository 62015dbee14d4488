//! The only member of a group on the log.
//!
//! - *When it runs*: its owner calls `receive` in a loop, and `store` after records were applied. [`Flush`]
//!   commits stored positions in the background.
//! - *What it assumes*: the group lock keeps every other member out, so that only this consumer's cursors move.
//!   One task uses it: `receive`, `pause` and `resume` take `&mut self`.
//! - *What it promises* about records is what [`Records`] promises: a dropped `receive` loses none, and none is
//!   passed over.

use async_trait::async_trait;

use super::flush::Flush;
use super::group::GroupLock;
use super::records::Records;
use crate::{BusError, Consumer, Incoming, Position};

/// See the module.
pub(super) struct LogConsumer {
    // Declared before the lock, so that it is dropped first: it must not commit once the group is free.
    flush: Flush,
    records: Records,
    paused: bool,
    _lock: GroupLock,
}

impl LogConsumer {
    pub(super) fn new(lock: GroupLock, records: Records, flush: Flush) -> Self {
        Self { flush, records, paused: false, _lock: lock }
    }
}

#[async_trait]
impl Consumer for LogConsumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        if self.paused {
            // Waits until the future is dropped, which `resume` requires.
            std::future::pending::<()>().await;
        }
        self.records.receive(max.max(1)).await
    }

    fn store(&mut self, positions: &[Position]) -> Result<(), BusError> {
        for position in positions {
            if let Some(cursor) = self.records.cursor(&position.topic, position.partition) {
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
