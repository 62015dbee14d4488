//! Publishing: everything into librdkafka's queue, in order, then every report.

use std::collections::{HashSet, VecDeque};

use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _, PurgeConfig};

use super::config::Config;
use super::context::Context;
use super::{admin, blocking};
use crate::names::Namespace;
use crate::{BusError, Outgoing, Producer, Published};

type Client = FutureProducer<Context>;

pub(super) struct KafkaProducer {
    config: Config,
    namespace: Namespace,
    /// `None` after a failure: what it still holds must not be sent behind the caller's back.
    client: Option<Client>,
    /// Topics (by the names at the broker) that were there once.
    known: HashSet<String>,
}

impl KafkaProducer {
    pub(super) fn new(config: Config, namespace: Namespace) -> Result<Self, BusError> {
        let client = Some(connect(&config)?);
        Ok(Self { config, namespace, client, known: HashSet::new() })
    }

    fn client(&mut self) -> Result<Client, BusError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => connect(&self.config)?,
        };
        self.client = Some(client.clone());
        Ok(client)
    }

    /// The topic's name at the broker, if the record can go there.
    async fn check(&mut self, client: &Client, record: &Outgoing) -> Result<String, BusError> {
        let limit = self.config.max_record_bytes();
        if record.bytes() > limit {
            return Err(BusError::TooLarge {
                topic: record.topic.clone(),
                key: record.key.clone(),
                bytes: record.bytes(),
                limit,
            });
        }
        let topic = self.namespace.outer("topic", &record.topic)?;
        if !self.known.contains(&topic) {
            // librdkafka would keep records for a topic that is not there for half a minute.
            let (client, namespace, name) = (client.clone(), self.namespace.clone(), topic.clone());
            blocking(move || admin::partition_count(client.client(), &namespace, &name)).await?;
            self.known.insert(topic.clone());
        }
        Ok(topic)
    }

    async fn send(
        &mut self,
        records: &[Outgoing],
        acknowledged: &mut [bool],
    ) -> Result<(), BusError> {
        let client = self.client()?;
        let mut reports = Reports::default();
        let mut outcome = Ok(());
        for record in records {
            let topic = match self.check(&client, record).await {
                Ok(topic) => topic,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            };
            if let Err(error) = enqueue(&client, &topic, record, &mut reports).await {
                outcome = Err(error);
                break;
            }
        }
        // What precedes the refused record is on its way: its reports count.
        let reported = reports.finish(&client, acknowledged).await;
        if let Err(error) = reported {
            self.retire(client);
            return Err(error);
        }
        if client.client().fatal_error().is_some() {
            self.retire(client);
        }
        outcome
    }

    /// Throws the client away with all that it holds; the next publish makes a new one.
    fn retire(&mut self, client: Client) {
        self.client = None;
        // Dropping it waits for its thread.
        tokio::task::spawn_blocking(move || drop(client));
    }
}

impl Drop for KafkaProducer {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // Not on an async thread: it purges its queue and joins its thread.
            std::thread::spawn(move || drop(client));
        }
    }
}

#[async_trait]
impl Producer for KafkaProducer {
    async fn publish(&mut self, records: &[Outgoing]) -> Published {
        let mut acknowledged = vec![false; records.len()];
        let error = self.send(records, &mut acknowledged).await.err();
        Published { acknowledged, error }
    }
}

fn connect(config: &Config) -> Result<Client, BusError> {
    config
        .producer()
        .create_with_context(Context::default())
        .map_err(|error| BusError::kafka("creating a producer", error))
}

/// Puts the record into librdkafka's queue, waiting for room: it must not be passed by the next.
async fn enqueue(
    client: &Client,
    topic: &str,
    outgoing: &Outgoing,
    reports: &mut Reports,
) -> Result<(), BusError> {
    const FULL: KafkaError = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
    let headers = OwnedHeaders::new_with_capacity(outgoing.headers.iter().count());
    let headers = outgoing
        .headers
        .iter()
        .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
    let mut record =
        FutureRecord::to(topic).key(&outgoing.key).payload(&outgoing.value).headers(headers);
    loop {
        match client.send_result(record) {
            Ok(report) => {
                reports.pending.push_back(report);
                return Ok(());
            }
            Err((error, rejected)) if error == FULL => {
                record = rejected;
                reports.make_room().await?;
            }
            Err((error, _)) => return Err(BusError::kafka("enqueuing a record", error)),
        }
    }
}

/// The delivery reports of a batch, in its order.
#[derive(Default)]
struct Reports {
    done: Vec<Result<(), KafkaError>>,
    pending: VecDeque<DeliveryFuture>,
}

impl Reports {
    /// Waits for the oldest report, which empties a place in the queue.
    async fn make_room(&mut self) -> Result<(), BusError> {
        const RETRY: std::time::Duration = std::time::Duration::from_millis(10);
        let Some(report) = self.pending.front_mut() else {
            // The queue is full of what a dropped publish left behind.
            tokio::time::sleep(RETRY).await;
            return Ok(());
        };
        // Taken out only when it is there: a dropped future must not lose it.
        let result = outcome(report.await);
        self.pending.pop_front();
        self.done.push(result.clone());
        result.map_err(|error| BusError::kafka("publishing", error))
    }

    /// Waits for the rest and notes what arrived; the first failure is the error.
    async fn finish(mut self, client: &Client, acknowledged: &mut [bool]) -> Result<(), BusError> {
        let mut failed = self.done.iter().any(Result::is_err);
        for report in self.pending {
            if failed {
                // What follows a failed record is not to be sent; the rest reports at once then.
                client.purge(PurgeConfig::default().queue().inflight());
            }
            let result = outcome(report.await);
            failed |= result.is_err();
            self.done.push(result);
        }
        let mut first = Ok(());
        for (acknowledged, result) in acknowledged.iter_mut().zip(self.done) {
            *acknowledged = result.is_ok();
            if let (Ok(()), Err(error)) = (&first, result) {
                first = Err(BusError::kafka("publishing", error));
            }
        }
        first
    }
}

fn outcome<Canceled>(report: Result<OwnedDeliveryResult, Canceled>) -> Result<(), KafkaError> {
    match report {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(error),
        Err(_) => Err(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue)),
    }
}
