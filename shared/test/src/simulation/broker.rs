//! The broker in memory, with the faults between it and a service.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bus::{
    Bus, BusError, Consumer, Incoming, Memory, Outgoing, PartitionState, Position, Producer,
    Published, Topic,
};

use super::{Environment, schedule::Fault};

/// The broker for one service. Its producers meet the fault of the step.
#[derive(Clone)]
pub(crate) struct Broker {
    memory: Memory,
    environment: Arc<Environment>,
    rights: Rights,
}

/// Whether a service may use its topics and its group.
#[derive(Clone, Default)]
struct Rights {
    withdrawn: Arc<AtomicBool>,
}

impl Rights {
    /// Fails while the rights are withdrawn. `operation` is what the service tries to do.
    fn check(&self, operation: &str) -> Result<(), BusError> {
        if !self.withdrawn.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (what, code) = (operation.to_owned(), "authorization failed".to_owned());
        Err(BusError::Denied { what, code, remedy: "grant the right" })
    }
}

impl Broker {
    pub(crate) fn new(memory: Memory, environment: Arc<Environment>) -> Self {
        Self { memory, environment, rights: Rights::default() }
    }

    /// Grants the service's rights, or withdraws them. Returns whether that changes anything.
    pub(crate) fn allow(&self, allowed: bool) -> bool {
        self.rights.withdrawn.swap(!allowed, Ordering::Relaxed) == allowed
    }

    /// Passes the stored offsets of the service's group on to the broker, if the service has its rights.
    pub(crate) fn flush(&self, group: &str) -> Result<(), BusError> {
        self.rights.check("storing offsets")?;
        self.memory.flush(group)
    }
}

/// A consumer that receives nothing while the service lacks its rights.
struct Reader {
    inner: Box<dyn Consumer>,
    rights: Rights,
}

#[async_trait]
impl Consumer for Reader {
    async fn receive(&mut self, max: usize) -> Result<Vec<Incoming>, BusError> {
        self.rights.check("reading")?;
        self.inner.receive(max).await
    }

    fn store(&mut self, positions: &[Position]) -> Result<(), BusError> {
        self.inner.store(positions)
    }

    fn pause(&mut self) -> Result<(), BusError> {
        self.inner.pause()
    }

    fn resume(&mut self) -> Result<(), BusError> {
        self.inner.resume()
    }

    /// Without the rights, stored offsets do not reach the broker, as in a crash.
    async fn close(self: Box<Self>) -> Result<(), BusError> {
        self.rights.check("leaving the group")?;
        self.inner.close().await
    }
}

#[async_trait]
impl Bus for Broker {
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError> {
        self.memory.create_topics(topics).await
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, BusError> {
        Ok(Box::new(self.clone()))
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        let inner = self.memory.consumer(group, topics).await?;
        Ok(Box::new(Reader { inner, rights: self.rights.clone() }))
    }

    async fn partitions(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<Vec<PartitionState>, BusError> {
        self.memory.partitions(group, topics).await
    }

    async fn rewind(&self, group: &str, topics: &[&str]) -> Result<(), BusError> {
        self.memory.rewind(group, topics).await
    }

    fn max_record_bytes(&self) -> usize {
        self.memory.max_record_bytes()
    }
}

#[async_trait]
impl Producer for Broker {
    async fn publish(&mut self, records: &[Outgoing]) -> Published {
        if let Err(denied) = self.rights.check("publishing") {
            self.environment.note("the broker denies it".to_owned());
            return Published { acknowledged: vec![false; records.len()], error: Some(denied) };
        }
        let fault = self.environment.fault();
        // The number of records that arrive, and of those whose arrival is reported to the sender.
        let (arrived, reported) = match fault {
            None => (records.len(), records.len()),
            Some(Fault::Refused | Fault::Malformed) => {
                let count = self.environment.dice().index(records.len());
                (count, count)
            }
            Some(Fault::AnswerLost | Fault::Late) => {
                let arrived = self.environment.dice().index(records.len() + 1);
                (arrived, self.environment.dice().index(arrived + 1).min(records.len() - 1))
            }
        };
        let mut published = self.memory.publish(&records[..arrived]).await;
        for (nth, record) in records[..arrived].iter().enumerate() {
            let name = self.environment.publishes(record);
            let note = if nth < reported { name } else { format!("{name} (report lost)") };
            self.environment.note(note);
        }
        published.acknowledged.resize(records.len(), false);
        published.acknowledged[reported..].fill(false);
        if let Some(fault) = fault {
            self.environment.note(format!("the broker fails ({fault:?})"));
            let reason = "the connection broke".to_owned();
            published.error.get_or_insert(BusError::Unavailable { reason });
        }
        published
    }
}
