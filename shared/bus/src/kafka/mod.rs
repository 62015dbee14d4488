//! Apache Kafka, by librdkafka.

mod admin;
mod config;
mod consumer;
mod context;
mod producer;
mod reader;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::{BaseConsumer, StreamConsumer};
use uuid::Uuid;

pub(crate) use self::config::Config;
use self::context::Context;
use crate::identity::identity;
use crate::names::Namespace;
use crate::{Bus, BusError, Consumer, PartitionState, Producer, Reader, Start, Topic};

/// A Kafka cluster.
pub(crate) struct Kafka {
    config: Config,
    namespace: Namespace,
    /// A client for each group, to ask for the group's offsets. It is never a member of the group.
    observers: Mutex<HashMap<String, Arc<BaseConsumer<Context>>>>,
}

impl Kafka {
    pub(crate) fn new(config: Config, namespace: Namespace) -> Self {
        Self { config, namespace, observers: Mutex::default() }
    }

    /// A client that asks about `group` (the name at the broker) without joining it.
    fn observer(&self, group: &str) -> Result<Arc<BaseConsumer<Context>>, BusError> {
        // Each client is inserted as a whole, so the map is usable after a panic.
        let mut observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(observer) = observers.get(group) {
            return Ok(Arc::clone(observer));
        }
        let observer: BaseConsumer<Context> = self
            .config
            .consumer(group)
            .create_with_context(Context::of_group(self.namespace.inner(group)))
            .map_err(|error| BusError::kafka("creating a client", error))?;
        let observer = Arc::new(observer);
        observers.insert(group.to_owned(), Arc::clone(&observer));
        Ok(observer)
    }
}

#[async_trait]
impl Bus for Kafka {
    async fn create_topics(&self, topics: &[Topic]) -> Result<(), BusError> {
        admin::create_topics(&self.config, &self.namespace, topics).await
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, BusError> {
        let producer = producer::KafkaProducer::new(self.config.clone(), self.namespace.clone())?;
        Ok(Box::new(producer))
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        let group = self.namespace.outer("group", group)?;
        let topics = self.namespace.topics(topics)?;
        // Otherwise a missing topic would only show as an error of a later poll.
        let observer = self.observer(&group)?;
        let (wanted, namespace) = (topics.clone(), self.namespace.clone());
        blocking(move || admin::begin(&observer, &namespace, &wanted)).await?;
        let consumer: StreamConsumer<Context> = self
            .config
            .consumer(&group)
            .create_with_context(Context::of_group(self.namespace.inner(&group)))
            .map_err(|error| BusError::kafka("creating a consumer", error))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|error| BusError::kafka("subscribing", error))?;
        let namespace = self.namespace.clone();
        Ok(Box::new(consumer::KafkaConsumer::new(consumer, namespace)))
    }

    async fn partitions(
        &self,
        group: &str,
        topics: &[&str],
    ) -> Result<Vec<PartitionState>, BusError> {
        let group = self.namespace.outer("group", group)?;
        let topics = self.namespace.topics(topics)?;
        let observer = self.observer(&group)?;
        let namespace = self.namespace.clone();
        blocking(move || admin::states(&observer, &namespace, &topics)).await
    }

    async fn rewind(&self, group: &str, topics: &[&str]) -> Result<(), BusError> {
        let outer = self.namespace.outer("group", group)?;
        let topics = self.namespace.topics(topics)?;
        let observer = self.observer(&outer)?;
        let namespace = self.namespace.clone();
        blocking(move || admin::rewind(&observer, &namespace, &outer, &topics)).await
    }

    async fn reader(&self, topics: &[&str], from: Start) -> Result<Box<dyn Reader>, BusError> {
        let topics = self.namespace.topics(topics)?;
        let reader = reader::KafkaReader::open(&self.config, &self.namespace, topics, &from);
        Ok(Box::new(reader.await?))
    }

    async fn identity(&self, proposed: Uuid) -> Result<Option<Uuid>, BusError> {
        identity(self, proposed).await.map(Some)
    }

    fn address(&self) -> String {
        self.namespace.of(&format!("kafka:{}", self.config.brokers()))
    }

    fn max_record_bytes(&self) -> usize {
        self.config.max_record_bytes()
    }
}

/// Runs a call of librdkafka that blocks until the broker answers, on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BusError> + Send + 'static,
) -> Result<T, BusError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| {
        Err(BusError::Unavailable { reason: format!("this process is stopping: {stopped}") })
    })
}
