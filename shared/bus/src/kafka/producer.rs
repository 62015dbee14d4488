//! Publishes records: puts them into librdkafka's queue in order, then waits for the report on each.
//!
//! Order is kept by three rules. Records enter the queue one after another, also if the queue is full. After a
//! record fails, no later record of the batch is sent: the queue is purged, and the gapless guarantee of
//! librdkafka (see `config.rs`) covers what is already on its way. After a failure the client is replaced, so
//! that nothing of the old queue can be sent behind the next publish.

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

/// The time-out of one poll for reports. A report ends a poll at once, so this delays nothing. But librdkafka
/// spins for the last millisecond of each poll: `rdkafka`'s own thread, with ten polls a second, took a hundredth
/// of a core.
const POLL_TIMEOUT: Duration = Duration::from_secs(1);

/// The broker's report on a record.
pub(super) type Report = Result<(), KafkaError>;

/// librdkafka's producer, with a thread that polls for its reports.
struct Client {
    producer: Arc<BaseProducer<Context>>,
    is_dropped: Arc<AtomicBool>,
}

impl Client {
    fn connect(config: &Config) -> Result<Self, BusError> {
        let failed = |error| BusError::kafka("creating a producer", error);
        let producer = config.producer().create_with_context(Context::default()).map_err(failed)?;
        let client = Self { producer: Arc::new(producer), is_dropped: Arc::default() };
        let (producer, is_dropped) = (Arc::clone(&client.producer), Arc::clone(&client.is_dropped));
        let poll = move || {
            while !is_dropped.load(Ordering::Acquire) {
                producer.poll(POLL_TIMEOUT);
            }
        };
        let thread = std::thread::Builder::new().name("kafka reports".to_owned());
        thread.spawn(poll).map_err(|error| BusError::Unavailable {
            reason: format!("cannot start the thread for Kafka's reports: {error}"),
        })?;
        Ok(client)
    }
}

impl Drop for Client {
    /// Purges the queue: its records must not be sent after the caller has given up.
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::Release);
        let producer = Arc::clone(&self.producer);
        // Not on an async thread: the purge waits for librdkafka's threads.
        std::thread::spawn(move || producer.purge(PurgeConfig::default().queue().inflight()));
    }
}

pub(super) struct KafkaProducer {
    config: Config,
    namespace: Namespace,
    /// `None` after a failure.
    client: Option<Arc<Client>>,
    /// Topics, by their names at the broker, that are known to exist.
    known: HashSet<String>,
}

/// Topic and headers of a record that can be enqueued.
struct Prepared {
    topic: String,
    headers: OwnedHeaders,
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

    /// Checks that the record can be published, and returns its topic's name at the broker.
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
            // For a topic that does not exist librdkafka would keep the record for half a minute.
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
        let (prepared, mut outcome) = self.prepare(&client, records).await;
        for (prepared, record) in prepared.into_iter().zip(records) {
            if let Err(error) = enqueue(&client, prepared, record, &mut reports).await {
                outcome = Err(error);
                break;
            }
        }
        // The records before the refused one are on their way, so their reports count.
        let reported = reports.finish(&client, acknowledged).await;
        if reported.is_err() || client.producer.client().fatal_error().is_some() {
            // The next publish connects a new client.
            self.client = None;
        }
        reported.and(outcome)
    }

    /// Prepares the records up to the first that cannot be published, and returns why that one cannot. All are
    /// prepared before the first is enqueued: librdkafka sends at once what it finds in its queue, so records
    /// that are enqueued slowly go out in more requests.
    async fn prepare(
        &mut self,
        client: &Client,
        records: &[Outgoing],
    ) -> (Vec<Prepared>, Result<(), BusError>) {
        let mut prepared = Vec::with_capacity(records.len());
        for record in records {
            match self.check(client, record).await {
                Ok(topic) => prepared.push(Prepared { topic, headers: headers(record) }),
                Err(error) => return (prepared, Err(error)),
            }
        }
        (prepared, Ok(()))
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

/// Puts the record into librdkafka's queue and waits while the queue is full, so that no later record passes it.
async fn enqueue(
    client: &Client,
    prepared: Prepared,
    outgoing: &Outgoing,
    reports: &mut Reports,
) -> Result<(), BusError> {
    const FULL: KafkaError = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
    let Prepared { topic, headers } = prepared;
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

/// The delivery reports of a batch, in the order of its records.
#[derive(Default)]
struct Reports {
    done: Vec<Report>,
    pending: VecDeque<oneshot::Receiver<Report>>,
}

impl Reports {
    /// Waits for the oldest report, which frees a place in the queue.
    async fn make_room(&mut self) -> Result<(), BusError> {
        const RETRY: Duration = Duration::from_millis(10);
        let Some(report) = self.pending.front_mut() else {
            // The queue is full of records of an earlier publish that was dropped.
            tokio::time::sleep(RETRY).await;
            return Ok(());
        };
        // Removed only once it has come: if this future is dropped, the report must not be lost.
        let result = outcome(report.await);
        self.pending.pop_front();
        self.done.push(result.clone());
        result.map_err(|error| BusError::kafka("publishing", error))
    }

    /// Waits for all other reports and notes which records the broker acknowledged. The error is the first one.
    async fn finish(mut self, client: &Client, acknowledged: &mut [bool]) -> Result<(), BusError> {
        let mut failed = self.done.iter().any(Result::is_err);
        for report in self.pending {
            if failed {
                // No record behind a failed one may be sent. The purge makes the others report at once.
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

/// A report whose sender was dropped counts as one on a purged record.
fn outcome<Dropped>(report: Result<Report, Dropped>) -> Report {
    report.unwrap_or(Err(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue)))
}
