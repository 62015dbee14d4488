//! A broker in memory with topics, partitions and groups as Kafka has them, for simulations and tests. It draws
//! at random which records a consumer gets next, so that no test can rely on an order between partitions.

mod consumer;
mod reader;
mod records;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use clock::Random;
use tokio::sync::watch;

use self::consumer::MemoryConsumer;
use self::reader::MemoryReader;
use self::records::Records;
use self::state::State;
use crate::names::Namespace;
use crate::{
    Bus, BusError, Consumer, DEFAULT_MAX_RECORD_BYTES, Outgoing, PartitionState, Producer,
    Published, Reader, Start, Topic,
};

/// When stored offsets reach the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetsReach {
    /// When they are stored.
    AtOnce,
    /// When [`Memory::flush`] is called. Offsets of a member that is dropped before are lost, as in a crash.
    WhenFlushed,
}

/// A broker in memory. Clones are the same broker.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
    namespace: Namespace,
}

struct Shared {
    state: Mutex<State>,
    random: Arc<dyn Random>,
    offsets: OffsetsReach,
    /// Changes whenever records were published.
    published: watch::Sender<()>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the state half changed, so it is usable after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// An empty broker. `random` decides which partitions a consumer reads first, and how many records of each.
    #[must_use]
    pub fn new(random: Arc<dyn Random>, offsets: OffsetsReach) -> Self {
        let (state, published) = (Mutex::default(), watch::Sender::new(()));
        let shared = Arc::new(Shared { state, random, offsets, published });
        Self { shared, namespace: Namespace::default() }
    }

    /// The same broker under another namespace.
    ///
    /// # Errors
    /// [`BusError::Settings`] if the namespace cannot be a part of a name.
    pub fn namespaced(&self, namespace: &str) -> Result<Self, BusError> {
        Ok(Self { shared: Arc::clone(&self.shared), namespace: Namespace::new(namespace)? })
    }

    /// Makes the offsets that the group's member has stored reach the broker.
    ///
    /// # Errors
    /// [`BusError::Settings`] if the group cannot have this name.
    pub fn flush(&self, group: &str) -> Result<(), BusError> {
        let group = self.namespace.outer("group", group)?;
        self.shared.state().group(&group).flush();
        Ok(())
    }
}

#[async_trait]
impl Bus for Memory {
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError> {
        for topic in topics {
            let name = self.namespace.outer("topic", topic.name)?;
            self.shared.state().create(name, topic)?;
        }
        Ok(())
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, BusError> {
        Ok(Box::new(self.clone()))
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        let consumer = MemoryConsumer::join(self, group, topics)?;
        Ok(Box::new(consumer))
    }

    async fn partitions(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<Vec<PartitionState>, BusError> {
        let group = self.namespace.outer("group", group)?;
        let topics = self.namespace.topics(topics)?;
        self.shared.state().partitions(&self.namespace, &group, &topics)
    }

    async fn rewind(&self, group: &str, topics: &[&str]) -> Result<(), BusError> {
        let (outer, topics) =
            (self.namespace.outer("group", group)?, self.namespace.topics(topics)?);
        let mut state = self.shared.state();
        if state.group(&outer).has_member() {
            return Err(BusError::GroupActive { group: group.to_owned() });
        }
        state.rewind(&self.namespace, &outer, &topics)
    }

    async fn reader(&self, topics: &[&str], from: Start) -> Result<Box<dyn Reader>, BusError> {
        let topics = self.namespace.topics(topics)?;
        // For a group that cannot exist: the reader needs only the watermarks.
        let states = self.shared.state().partitions(&self.namespace, "", &topics)?;
        let records = Records::new(self, &states, &from.offsets(&states)?)?;
        Ok(Box::new(MemoryReader(records)))
    }

    fn max_record_bytes(&self) -> usize {
        DEFAULT_MAX_RECORD_BYTES
    }
}

#[async_trait]
impl Producer for Memory {
    async fn publish(&mut self, records: &[Outgoing]) -> Published {
        let (mut acknowledged, mut error) = (vec![false; records.len()], None);
        for (record, acknowledged) in records.iter().zip(&mut acknowledged) {
            let topic = self.namespace.outer("topic", &record.topic);
            let appended = topic.and_then(|topic| self.shared.state().append(&topic, record));
            if let Err(failed) = appended {
                error = Some(failed);
                break;
            }
            *acknowledged = true;
        }
        self.shared.published.send_replace(());
        Published { acknowledged, error }
    }
}
