//! Publishing: everything into librdkafka's queue, in order, then every report.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use tokio::sync::oneshot;

use super::config::Config;
use super::context::Context;
use super::{admin, blocking};
use crate::names::Namespace;
use crate::{BusError, Outgoing, Producer, Published};

/// How long a look for reports lasts. They are heard at once all the same, but the client spins for the
/// last millisecond of each look: that of `rdkafka`'s own thread, ten a second, took a hundredth of a core.
const LOOK: Duration = Duration::from_secs(1);

/// What became of a record.
pub(super) type Report = Result<(), KafkaError>;

/// librdkafka's producer, with a thread that hears its reports.
struct Client {
    producer: Arc<BaseProducer<Context>>,
    done_with: Arc<AtomicBool>,
}

impl Client {
    fn connect(config: &Config) -> Result<Self, BusError> {
        let failed = |error| BusError::kafka("creating a producer", error);
        let producer = config.producer().create_with_context(Context::default()).map_err(failed)?;
        let client = Self { producer: Arc::new(producer), done_with: Arc::default() };
        let (producer, done_with) = (Arc::clone(&client.producer), Arc::clone(&client.done_with));
        let listen = move || {
            while !done_with.load(Ordering::Acquire) {
                producer.poll(LOOK);
            }
        };
        let thread = std::thread::Builder::new().name("kafka reports".to_owned());
        thread.spawn(listen).map_err(|error| BusError::Unavailable {
            reason: format!("there is no thread for Kafka's reports: {error}"),
        })?;
        Ok(client)
    }
}

impl Drop for Client {
    /// What it still holds must not be sent behind the caller's back.
    fn drop(&mut self) {
        self.done_with.store(true, Ordering::Release);
        let producer = Arc::clone(&self.producer);
        // Not on an async thread: it waits for librdkafka's.
        std::thread::spawn(move || producer.purge(PurgeConfig::default().queue().inflight()));
    }
}

pub(super) struct KafkaProducer {
    config: Config,
    namespace: Namespace,
    /// `None` after a failure.
    client: Option<Arc<Client>>,
    /// Topics (by the names at the broker) that were there once.
    known: HashSet<String>,
}

impl KafkaProducer {
    pub(super) fn new(config: Config, namespace: Namespace) -> Result<Self, BusError> {
        let client = Some(Arc::new(Client::connect(&config)?));
        Ok(Self { config, namespace, client, known: HashSet::new() })
    }

    fn client(&mut self) -> Result<Arc<Client>, BusError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => Arc::new(Client::connect(&self.config)?),
        };
        self.client = Some(Arc::clone(&client));
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
            let (producer, namespace) = (Arc::clone(&client.producer), self.namespace.clone());
            let name = topic.clone();
            blocking(move || admin::partition_count(producer.client(), &namespace, &name)).await?;
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
        let (ready, mut outcome) = self.prepare(&client, records).await;
        for (ready, record) in ready.into_iter().zip(records) {
            if let Err(error) = enqueue(&client, ready, record, &mut reports).await {
                outcome = Err(error);
                break;
            }
        }
        // What precedes the refused record is on its way: its reports count.
        let reported = reports.finish(&client, acknowledged).await;
        if reported.is_err() || client.producer.client().fatal_error().is_some() {
            // The next publish makes a new one.
            self.client = None;
        }
        reported.and(outcome)
    }

    /// Topics and headers of the records, up to the first that cannot go. All of them before one is
    /// enqueued: librdkafka sends what it finds as soon as there is something, so what comes slowly goes in
    /// more requests.
    async fn prepare(
        &mut self,
        client: &Client,
        records: &[Outgoing],
    ) -> (Vec<(String, OwnedHeaders)>, Result<(), BusError>) {
        let mut ready = Vec::with_capacity(records.len());
        for record in records {
            match self.check(client, record).await {
                Ok(topic) => ready.push((topic, headers(record))),
                Err(error) => return (ready, Err(error)),
            }
        }
        (ready, Ok(()))
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

fn headers(outgoing: &Outgoing) -> OwnedHeaders {
    let headers = OwnedHeaders::new_with_capacity(outgoing.headers.iter().count());
    let all = outgoing.headers.iter();
    all.fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

/// Puts the record into librdkafka's queue, waiting for room: it must not be passed by the next.
async fn enqueue(
    client: &Client,
    (topic, headers): (String, OwnedHeaders),
    outgoing: &Outgoing,
    reports: &mut Reports,
) -> Result<(), BusError> {
    const FULL: KafkaError = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
    let (report, pending) = oneshot::channel();
    let record = BaseRecord::with_opaque_to(&topic, Box::new(report));
    let mut record = record.key(&outgoing.key).payload(&outgoing.value).headers(headers);
    loop {
        match client.producer.send(record) {
            Ok(()) => {
                reports.pending.push_back(pending);
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
    done: Vec<Report>,
    pending: VecDeque<oneshot::Receiver<Report>>,
}

impl Reports {
    /// Waits for the oldest report, which empties a place in the queue.
    async fn make_room(&mut self) -> Result<(), BusError> {
        const RETRY: Duration = Duration::from_millis(10);
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
                client.producer.purge(PurgeConfig::default().queue().inflight());
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

fn outcome<Lost>(report: Result<Report, Lost>) -> Report {
    report.unwrap_or(Err(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue)))
}
