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

/// A broker in memory that keeps what was published and fails when it is told to. For tests of
/// what sends: its consumers receive nothing.
#[derive(Debug, Clone, Default)]
pub struct MemoryBus(Arc<Mutex<State>>);

/// A record at this place of partition 0, for those who only look where it lay.
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
    /// How often something was denied.
    denials: usize,
    /// Publishing waits as if for a report, without end.
    silent: bool,
    /// What becomes of the next records; all is well once it is empty.
    fates: VecDeque<Fate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    Refused,
    ReportLost,
}

impl MemoryBus {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was published so far, in order.
    #[must_use]
    pub fn records(&self) -> Vec<Outgoing> {
        self.state().records.clone()
    }

    /// Whether the broker is away.
    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Whether the broker denies what it is asked for.
    pub fn set_denied(&self, denied: bool) {
        self.state().denied = denied;
    }

    /// The id that it has from now on; it has none otherwise.
    pub fn set_identity(&self, id: Uuid) {
        self.state().identity = Some(id);
    }

    /// How often the broker has denied something.
    #[must_use]
    pub fn denials(&self) -> usize {
        self.state().denials
    }

    /// From now on no publish ends: neither report nor error comes.
    pub fn fall_silent(&self) {
        self.state().silent = true;
    }

    /// What [`Bus::partitions`] answers, whatever it is asked.
    pub fn set_partitions(&self, partitions: Vec<PartitionState>) {
        self.state().partitions = partitions;
    }

    /// Takes `count` records from now and refuses the one after them, once.
    pub fn refuse_after(&self, count: usize) {
        self.plan(count, Fate::Refused);
    }

    /// Takes `count` records from now and one more, of which the sender hears nothing.
    pub fn lose_report_after(&self, count: usize) {
        self.plan(count, Fate::ReportLost);
    }

    fn plan(&self, count: usize, last: Fate) {
        let mut state = self.state();
        state.fates = std::iter::repeat_n(Fate::Acknowledged, count).chain([last]).collect();
    }

    fn publish_one(&self, record: &Outgoing) -> Result<(), BusError> {
        let unavailable = |reason: &str| BusError::Unavailable { reason: reason.into() };
        let mut state = self.state();
        if state.away {
            return Err(unavailable("the broker is away"));
        }
        let fate = state.fates.pop_front().unwrap_or(Fate::Acknowledged);
        if fate == Fate::Refused {
            return Err(unavailable("the record was refused"));
        }
        state.records.push(record.clone());
        if fate == Fate::ReportLost {
            return Err(unavailable("the report was lost"));
        }
        Ok(())
    }

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
        for (record, yes) in records.iter().zip(&mut acknowledged) {
            match self.publish_one(record) {
                Ok(()) => *yes = true,
                Err(why) => {
                    error = Some(why);
                    break;
                }
            }
        }
        Published { acknowledged, error }
    }
}

/// Receives nothing.
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
