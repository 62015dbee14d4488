//! A new bus for each check, and short ways to use feeds of it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Incoming, Log, LogOptions, Memory, OffsetsReach, Outgoing, Settings, Topic};
use clock::{SystemClock, SystemRandom};
use event::Headers;
use quintet_live::{CursorKey, Delivery, Feed, FeedSettings, Subscription};
use uuid::Uuid;

pub const EPOCH: Uuid = Uuid::from_u128(1);
const TOPICS: [Topic; 2] = [
    Topic { name: "trips", partitions: 3, compacted: false },
    Topic { name: "notices", partitions: 1, compacted: false },
];
/// How long a check waits for one step. A feed that works needs a fraction of it.
const LIMIT: Duration = Duration::from_mins(1);

pub struct Rig {
    pub bus: Arc<dyn Bus>,
    /// The folder of the log.
    pub folder: Option<tempfile::TempDir>,
}

impl Rig {
    pub fn memory() -> Self {
        let bus = Memory::new(Arc::new(SystemRandom), OffsetsReach::AtOnce);
        Self { bus: Arc::new(bus), folder: None }
    }

    pub async fn log() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // So rarely that only a wake-up can be in time.
        let options = LogOptions { poll: Duration::from_hours(1), ..LogOptions::default() };
        let log = Log::open(&folder.path().join("bus.db"), "", options).await;
        Self { bus: Arc::new(log.expect("the log opens")), folder: Some(folder) }
    }

    pub async fn kafka() -> Option<Self> {
        let url = format!("kafka:{}", testkit::kafka()?);
        let namespace = format!("t{}-", clock::uuid_v7(&SystemClock, &SystemRandom).simple());
        let settings = Settings { url, namespace, ..Settings::default() };
        let bus = bus::connect(&settings).await.expect("settings are right");
        Some(Self { bus, folder: None })
    }

    /// Creates the topics.
    pub async fn create_topics(&self) {
        within(self.bus.create_topics(&TOPICS)).await.expect("topics are created");
    }

    /// A feed with room for all records of a check, as a replica opens it.
    pub async fn feed(&self) -> Feed {
        self.feed_with(settings()).await
    }

    pub async fn feed_with(&self, settings: FeedSettings) -> Feed {
        within(Feed::open(Arc::clone(&self.bus), settings)).await.expect("a feed")
    }

    /// Publishes these numbers.
    pub async fn publish(&self, numbers: std::ops::Range<usize>) {
        let records: Vec<_> = numbers.map(record).collect();
        let mut producer = self.bus.producer().await.expect("a producer");
        let published = within(producer.publish(&records)).await;
        assert!(published.error.is_none(), "{:?}", published.error);
    }
}

pub fn key(byte: u8) -> CursorKey {
    CursorKey::new(&[byte; 32]).expect("a key")
}

pub fn settings() -> FeedSettings {
    let queue = NonZeroUsize::new(10_000).expect("a number");
    FeedSettings { queue, ..FeedSettings::new(&["trips", "notices"], EPOCH, key(1)) }
}

/// A record with the number as its value. Every fourth is a notice; there are ten keys.
fn record(number: usize) -> Outgoing {
    Outgoing {
        topic: if number % 4 == 3 { "notices" } else { "trips" }.to_owned(),
        key: format!("key {}", number % 10),
        headers: Headers::new(),
        value: number.to_string().into_bytes(),
    }
}

/// Fails the check if the future takes too long.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("must not take that long")
}

pub fn number(record: &Incoming) -> usize {
    String::from_utf8_lossy(&record.value).parse().expect("a number")
}

/// The next `count` deliveries, which must be records.
pub async fn take(subscription: &mut Subscription, count: usize) -> Vec<Arc<Incoming>> {
    let mut records = Vec::new();
    while records.len() < count {
        match within(subscription.next()).await {
            Ok(Delivery::Record(record)) => records.push(record),
            other => panic!("{other:?} after {} records", records.len()),
        }
    }
    records
}

fn sorted(records: &[Arc<Incoming>]) -> Vec<usize> {
    let mut numbers: Vec<_> = records.iter().map(|record| number(record)).collect();
    numbers.sort_unstable();
    numbers
}

/// Fails unless these are the numbers, each once, and the records of each partition are in their order.
pub fn assert_each_once(records: &[Arc<Incoming>], numbers: impl Iterator<Item = usize>) {
    assert_eq!(sorted(records), numbers.collect::<Vec<_>>());
    let mut last = std::collections::BTreeMap::new();
    for record in records {
        let before = last.insert((&record.topic, record.partition), record.offset);
        assert!(before.is_none_or(|before| record.offset > before), "{record:?}");
    }
}
