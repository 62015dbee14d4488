//! What a check needs: a broker that several processes could share, and short ways to use it.

use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use clock::{SystemClock, SystemRandom};
use event::Headers;
use quintet_bus::{
    Bus, Consumer, Incoming, Log, LogOptions, Memory, OffsetsReach, Outgoing, Settings, Topic,
};

/// What a check gets at the most; a bus that works needs a fraction.
const LIMIT: Duration = Duration::from_mins(1);

/// The topics of most checks.
pub const TOPICS: [Topic; 2] = [
    Topic { name: "trips", partitions: 3, compacted: false },
    Topic { name: "notices", partitions: 2, compacted: true },
];

/// A broker of its own for each check.
#[async_trait]
pub trait Rig: Sync {
    /// As another process would open it.
    async fn connect_as(&self, namespace: &str) -> Arc<dyn Bus>;

    /// As another process of the same system would open it.
    async fn connect(&self) -> Arc<dyn Bus> {
        self.connect_as("").await
    }

    /// With [`TOPICS`] created.
    async fn bus(&self) -> Arc<dyn Bus> {
        let bus = self.connect().await;
        bus.create_topics(&TOPICS).await.expect("topics are created");
        bus
    }
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
            // So slow that only a wake-up can be in time.
            poll: Duration::from_hours(1),
            ..LogOptions::default()
        };
        let path = self.0.path().join("bus.db");
        let log = Log::open(&path, namespace, options).await;
        Arc::new(log.expect("the log opens"))
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

/// A namespace of its own in the broker that the environment names.
pub struct KafkaRig {
    /// `kafka:HOST:PORT`.
    pub url: String,
    /// Before the names of topics and groups at the broker.
    pub namespace: String,
}

impl KafkaRig {
    pub fn new() -> Option<Self> {
        let Ok(brokers) = std::env::var("QUINTET_TEST_KAFKA") else {
            let required =
                std::env::var("QUINTET_TEST_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
            assert!(!required, "QUINTET_TEST_KAFKA=HOST:PORT must name a broker");
            say_what_is_left_out();
            return None;
        };
        let id = clock::uuid_v7(&SystemClock, &SystemRandom);
        Some(Self { url: format!("kafka:{brokers}"), namespace: format!("t{}-", id.simple()) })
    }

    /// As a process with these settings of librdkafka would open it.
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
}

#[async_trait]
impl Rig for KafkaRig {
    async fn connect_as(&self, namespace: &str) -> Arc<dyn Bus> {
        self.open(namespace, &[]).await
    }
}

fn say_what_is_left_out() {
    use std::io::Write;
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Not `eprintln!`, which tests that pass swallow.
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

/// `count` records over ten keys, whose values are their numbers.
pub fn numbered(numbers: std::ops::Range<usize>) -> Vec<Outgoing> {
    let keyed = numbers.map(|n| record(&format!("key {}", n % 10), n.to_string()));
    keyed.collect()
}

/// Publishes all of it or fails.
pub async fn publish(bus: &dyn Bus, records: &[Outgoing]) {
    let mut producer = bus.producer().await.expect("a producer");
    let published = within(producer.publish(records)).await;
    assert!(published.error.is_none(), "{:?}", published.error);
    assert_eq!(published.acknowledged, vec![true; records.len()]);
}

/// A check fails rather than hangs.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("must not take that long")
}

/// Receives until there are `count`.
pub async fn take(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Incoming> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(within(consumer.receive(100)).await.expect("records"));
    }
    assert_eq!(records.len(), count, "more than were expected");
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
