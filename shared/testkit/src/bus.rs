//! A bus in memory that fails on demand.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bus::{
    Bus, BusError, Consumer, DEFAULT_MAX_RECORD_BYTES, Incoming, Outgoing, PartitionState,
    Position, Producer, Published, Topic,
};
use event::Headers;
use uuid::Uuid;

/// A broker in memory that remembers the published records and fails on demand. It is for tests of senders: its consumers
/// receive nothing.
#[derive(Debug, Clone, Default)]
pub struct MemoryBus(Arc<Mutex<State>>);

/// An empty record at this offset of partition 0, for tests in which only the position of a record matters.
#[must_use]
pub fn record_at(topic: impl Into<String>, offset: i64) -> Incoming {
    let (key, headers, value) = (Vec::new(), Headers::new(), Vec::new());
    Incoming { topic: topic.into(), partition: 0, offset, key, headers, value }
}

#[derive(Debug, Default)]
struct State {
    records: Vec<Outgoing>,
    partitions: Vec<PartitionState>,
    away: bool,
    denied: bool,
    identity: Option<Uuid>,
    /// The number of requests that were denied.
    denials: usize,
    /// Whether publishing never returns, as if the report never came.
    silent: bool,
    /// The outcomes of the next records. When the list is empty, records are acknowledged.
    outcomes: VecDeque<Outcome>,
}

/// The outcome of publishing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Acknowledged,
    /// The broker does not take the record.
    Refused,
    /// The broker takes the record, and the sender gets an error.
    ReportLost,
}

impl MemoryBus {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records that were published so far, in order.
    #[must_use]
    pub fn records(&self) -> Vec<Outgoing> {
        self.state().records.clone()
    }

    /// Sets whether the broker is away.
    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Sets whether the broker denies all requests for lack of rights.
    pub fn set_denied(&self, denied: bool) {
        self.state().denied = denied;
    }

    /// Sets the id of the bus. It has none at first.
    pub fn set_identity(&self, id: Uuid) {
        self.state().identity = Some(id);
    }

    /// The number of requests that the broker has denied.
    #[must_use]
    pub fn denials(&self) -> usize {
        self.state().denials
    }

    /// Makes publishing never return from now on: neither a report nor an error comes.
    pub fn fall_silent(&self) {
        self.state().silent = true;
    }

    /// Sets the answer of [`Bus::partitions`] for all groups and topics.
    pub fn set_partitions(&self, partitions: Vec<PartitionState>) {
        self.state().partitions = partitions;
    }

    /// Makes the broker acknowledge the next `count` records and refuse the one after them, once.
    pub fn refuse_after(&self, count: usize) {
        self.plan(count, Outcome::Refused);
    }

    /// Makes the broker acknowledge the next `count` records and lose the report of the one after them, once.
    pub fn lose_report_after(&self, count: usize) {
        self.plan(count, Outcome::ReportLost);
    }

    fn plan(&self, count: usize, last: Outcome) {
        let mut state = self.state();
        state.outcomes = std::iter::repeat_n(Outcome::Acknowledged, count).chain([last]).collect();
    }

    fn publish_one(&self, record: &Outgoing) -> Result<(), BusError> {
        let unavailable = |reason: &str| BusError::Unavailable { reason: reason.into() };
        let mut state = self.state();
        if state.away {
            return Err(unavailable("the broker is away"));
        }
        let outcome = state.outcomes.pop_front().unwrap_or(Outcome::Acknowledged);
        if outcome == Outcome::Refused {
            return Err(unavailable("the record was refused"));
        }
        state.records.push(record.clone());
        if outcome == Outcome::ReportLost {
            return Err(unavailable("the report was lost"));
        }
        Ok(())
    }

    /// Fails if the broker is away or denies requests.
    fn check(&self) -> Result<(), BusError> {
        let mut state = self.state();
        if state.away {
            return Err(BusError::Unavailable { reason: "the broker is away".into() });
        }
        if state.denied {
            state.denials += 1;
            let (what, code) = ("asking".into(), "denied".into());
            return Err(BusError::Denied { what, code, remedy: "grant it" });
        }
        Ok(())
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn create_topics(&self, _: &[Topic]) -> Result<(), BusError> {
        self.check()
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, BusError> {
        Ok(Box::new(self.clone()))
    }

    async fn consumer(&self, _: &str, _: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        self.check().map(|()| Box::new(Idle) as Box<dyn Consumer>)
    }

    async fn partitions(&self, _: &str, _: &[&str]) -> Result<Vec<PartitionState>, BusError> {
        self.check().map(|()| self.state().partitions.clone())
    }

    async fn rewind(&self, _: &str, _: &[&str]) -> Result<(), BusError> {
        self.check()
    }

    async fn identity(&self, _: Uuid) -> Result<Option<Uuid>, BusError> {
        self.check().map(|()| self.state().identity)
    }

    fn max_record_bytes(&self) -> usize {
        DEFAULT_MAX_RECORD_BYTES
    }
}

#[async_trait]
impl Producer for MemoryBus {
    async fn publish(&mut self, records: &[Outgoing]) -> Published {
        if self.state().silent {
            std::future::pending::<()>().await;
        }
        let mut acknowledged = vec![false; records.len()];
        let mut error = None;
        for (record, acknowledged) in records.iter().zip(&mut acknowledged) {
            match self.publish_one(record) {
                Ok(()) => *acknowledged = true,
                Err(why) => {
                    error = Some(why);
                    break;
                }
            }
        }
        Published { acknowledged, error }
    }
}

/// A consumer that never receives a record.
struct Idle;

#[async_trait]
impl Consumer for Idle {
    async fn receive(&mut self, _: usize) -> Result<Vec<Incoming>, BusError> {
        std::future::pending().await
    }

    fn store(&mut self, _: &[Position]) -> Result<(), BusError> {
        Ok(())
    }

    fn pause(&mut self) -> Result<(), BusError> {
        Ok(())
    }

    fn resume(&mut self) -> Result<(), BusError> {
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<(), BusError> {
        Ok(())
    }
}
