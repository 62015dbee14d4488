//! A broker for each check, which opens it as several processes would, and short ways to use it.

use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use clock::{SystemClock, SystemRandom};
use event::Headers;
use quintet_bus::{
    Bus, Consumer, Incoming, Log, LogOptions, Memory, OffsetsReach, Outgoing, Settings, Topic,
};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sqlx::{Connection, SqliteConnection};

/// How long a check waits for one call. A bus that works needs a fraction of it.
const LIMIT: Duration = Duration::from_mins(1);

/// The topics of most checks.
pub const TOPICS: [Topic; 2] = [
    Topic { name: "trips", partitions: 3, compacted: false },
    Topic { name: "notices", partitions: 2, compacted: true },
];

/// A new broker for each check.
#[async_trait]
pub trait Rig: Sync {
    /// Opens the broker as another process with this namespace would.
    async fn connect_as(&self, namespace: &str) -> Arc<dyn Bus>;

    /// Opens the broker as another process with the same namespace would.
    async fn connect(&self) -> Arc<dyn Bus> {
        self.connect_as("").await
    }

    /// Opens the broker and creates [`TOPICS`].
    async fn bus(&self) -> Arc<dyn Bus> {
        let bus = self.connect().await;
        bus.create_topics(&TOPICS).await.expect("topics are created");
        bus
    }
}

/// A broker whose records can be deleted, as retention does it.
pub trait DeletesRecords: Rig {
    /// Deletes the records of `trips` below this offset, in each partition.
    fn delete_below(&self, offset: i64) -> impl Future<Output = ()> + Send;
}

/// The log in a directory of its own.
pub struct LogRig(tempfile::TempDir);

impl LogRig {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }
}

#[async_trait]
impl Rig for LogRig {
    async fn connect_as(&self, namespace: &str) -> Arc<dyn Bus> {
        let options = LogOptions {
            // So rarely that only a wake-up can be in time.
            poll: Duration::from_hours(1),
            ..LogOptions::default()
        };
        let path = self.0.path().join("bus.db");
        let log = Log::open(&path, namespace, options).await;
        Arc::new(log.expect("the log opens"))
    }
}

impl DeletesRecords for LogRig {
    async fn delete_below(&self, offset: i64) {
        let url = format!("sqlite://{}", self.0.path().join("bus.db").display());
        let mut shell = SqliteConnection::connect(&url).await.expect("the file");
        let delete = sqlx::query("delete from record where topic = 'trips' and offset < ?");
        delete.bind(offset).execute(&mut shell).await.expect("deleted");
        shell.close().await.expect("closed");
    }
}

/// A broker in memory.
pub struct MemoryRig(Memory);

impl MemoryRig {
    pub fn new() -> Self {
        Self(Memory::new(Arc::new(SystemRandom), OffsetsReach::AtOnce))
    }
}

#[async_trait]
impl Rig for MemoryRig {
    async fn connect_as(&self, namespace: &str) -> Arc<dyn Bus> {
        Arc::new(self.0.namespaced(namespace).expect("a namespace"))
    }
}

/// A new namespace of the broker that the environment names.
pub struct KafkaRig {
    /// `kafka:HOST:PORT`.
    pub url: String,
    /// The prefix of topics and groups at the broker.
    pub namespace: String,
}

impl KafkaRig {
    pub fn new() -> Option<Self> {
        let Ok(brokers) = std::env::var("QUINTET_TEST_KAFKA") else {
            let required =
                std::env::var("QUINTET_TEST_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
            assert!(!required, "QUINTET_TEST_KAFKA=HOST:PORT must name a broker");
            report_skipped_checks();
            return None;
        };
        let id = clock::uuid_v7(&SystemClock, &SystemRandom);
        Some(Self { url: format!("kafka:{brokers}"), namespace: format!("t{}-", id.simple()) })
    }

    /// Opens the broker as a process with these settings of librdkafka would.
    pub async fn open(&self, namespace: &str, kafka: &[(&str, &str)]) -> Arc<dyn Bus> {
        let kafka = kafka.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings {
            url: self.url.clone(),
            namespace: format!("{}{namespace}", self.namespace),
            kafka: kafka.collect(),
            ..Settings::default()
        };
        quintet_bus::connect(&settings).await.expect("settings are right")
    }

    /// The settings of a client of its own for the broker.
    pub fn config(&self) -> ClientConfig {
        let brokers = self.url.trim_start_matches("kafka:");
        ClientConfig::new().set("bootstrap.servers", brokers).to_owned()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("a client")
    }

    /// Adds partitions to `trips`, until there are `count`, and waits until new clients know them.
    pub async fn add_partitions(&self, bus: &dyn Bus, count: usize) {
        let topic = format!("{}trips", self.namespace);
        let (more, options) = (NewPartitions::new(&topic, count), AdminOptions::new());
        let added = within(self.admin().create_partitions([&more], &options)).await;
        let added = added.expect("an answer");
        assert!(added.iter().all(Result::is_ok), "{added:?}");
        let known =
            async || bus.partitions("g", &["trips"]).await.is_ok_and(|all| all.len() == count);
        within(async { while !known().await {} }).await;
    }
}

#[async_trait]
impl Rig for KafkaRig {
    async fn connect_as(&self, namespace: &str) -> Arc<dyn Bus> {
        self.open(namespace, &[]).await
    }
}

impl DeletesRecords for KafkaRig {
    async fn delete_below(&self, offset: i64) {
        let (mut below, topic) = (TopicPartitionList::new(), format!("{}trips", self.namespace));
        for partition in 0..3 {
            let offset = Offset::Offset(offset);
            below.add_partition_offset(&topic, partition, offset).expect("an offset");
        }
        let deleted = within(self.admin().delete_records(&below, &AdminOptions::new())).await;
        let deleted = deleted.expect("an answer");
        assert!(
            deleted.elements().iter().all(|partition| partition.error().is_ok()),
            "{deleted:?}"
        );
    }
}

fn report_skipped_checks() {
    use std::io::Write;
    static REPORTED: Once = Once::new();
    REPORTED.call_once(|| {
        // Not `eprintln!`, whose output is not shown for tests that pass.
        let _ = writeln!(
            std::io::stderr(),
            "left out: the conformance of Kafka (QUINTET_TEST_KAFKA=HOST:PORT names no broker)"
        );
    });
}

pub fn record(key: &str, value: impl AsRef<[u8]>) -> Outgoing {
    Outgoing {
        topic: "trips".to_owned(),
        key: key.to_owned(),
        headers: Headers::new(),
        value: value.as_ref().to_vec(),
    }
}

/// A record for each number, which is its value. There are ten keys.
pub fn numbered(numbers: std::ops::Range<usize>) -> Vec<Outgoing> {
    let keyed = numbers.map(|n| record(&format!("key {}", n % 10), n.to_string()));
    keyed.collect()
}

/// Publishes all records, or fails the check.
pub async fn publish(bus: &dyn Bus, records: &[Outgoing]) {
    let mut producer = bus.producer().await.expect("a producer");
    let published = within(producer.publish(records)).await;
    assert!(published.error.is_none(), "{:?}", published.error);
    assert_eq!(published.acknowledged, vec![true; records.len()]);
}

/// Fails the check if the future takes too long.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("must not take that long")
}

/// Receives `count` records.
pub async fn take(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Incoming> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(within(consumer.receive(100)).await.expect("records"));
    }
    assert_eq!(records.len(), count, "there are more records than expected");
    records
}

pub fn values(records: &[Incoming]) -> Vec<String> {
    let texts = records.iter().map(|r| String::from_utf8_lossy(&r.value));
    texts.map(std::borrow::Cow::into_owned).collect()
}

pub fn sorted_numbers(records: &[Incoming]) -> Vec<usize> {
    let numbers = values(records).into_iter().map(|text| text.parse());
    let mut numbers: Vec<usize> = numbers.map(|n| n.expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

/// The position after each record.
pub fn after(records: &[Incoming]) -> Vec<quintet_bus::Position> {
    let positions = records.iter().map(|record| quintet_bus::Position {
        topic: record.topic.clone(),
        partition: record.partition,
        next: record.offset + 1,
    });
    positions.collect()
}
