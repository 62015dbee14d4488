//! Checks of the log only: one member in each group, retention, its limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clock::ManualClock;
use event::Headers;
use jiff::Timestamp;
use quintet_bus::{Bus, BusError, Log, LogOptions, Outgoing, Position, Topic};
use sqlx::{Connection, SqliteConnection};

const DAY: Duration = Duration::from_hours(24);
const MAX_WAL_BYTES: u64 = 2 << 20;
const TOPICS: [Topic; 2] = [
    Topic { name: "trips", partitions: 1, compacted: false },
    Topic { name: "notices", partitions: 1, compacted: true },
];

struct Fixture {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    log: Log,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let log = open(directory.path(), &clock).await;
        log.create_topics(&TOPICS).await.expect("topics");
        Self { directory, clock, log }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("bus.db")
    }

    /// Opens the file itself, as a shell does.
    async fn shell(&self) -> SqliteConnection {
        let url = format!("sqlite://{}", self.path().display());
        SqliteConnection::connect(&url).await.expect("the file")
    }

    /// Opens the log as another process would.
    async fn reopen(&self) -> Log {
        open(self.directory.path(), &self.clock).await
    }

    async fn publish(&self, topic: &str, keys: &[&str]) {
        let records = keys.iter().map(|key| record(topic, key));
        let records: Vec<_> = records.collect();
        let mut producer = self.log.producer().await.expect("a producer");
        let published = producer.publish(&records).await;
        assert!(published.error.is_none(), "{:?}", published.error);
    }

    /// Applies the retention. How many records this deletes is unknown, because a consumer that has just started
    /// applies it too.
    async fn apply_retention(&self) {
        self.log.retention().await.expect("applied");
    }

    /// The low and the high watermark of the topic's one partition.
    async fn watermarks(&self, topic: &str) -> (i64, i64) {
        let states = self.log.partitions("g", &[topic]).await.expect("states");
        (states[0].low, states[0].high)
    }
}

async fn open(directory: &Path, clock: &Arc<ManualClock>) -> Log {
    let options = LogOptions {
        retention: 7 * DAY,
        // Longer than a test, so that neither happens by itself.
        commit_interval: Duration::from_hours(1),
        poll: Duration::from_hours(1),
        max_wal_bytes: MAX_WAL_BYTES,
        clock: clock.clone(),
        ..LogOptions::default()
    };
    let path = directory.join("bus.db");
    Log::open(&path, "", options).await.expect("the log opens")
}

fn record(topic: &str, key: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        key: key.to_owned(),
        headers: Headers::new(),
        value: key.as_bytes().to_vec(),
    }
}

fn position(topic: &str, next: i64) -> Position {
    Position { topic: topic.to_owned(), partition: 0, next }
}

#[tokio::test]
async fn a_group_has_one_member() {
    let fixture = Fixture::new().await;
    let other = fixture.reopen().await;
    let member = fixture.log.consumer("booking", &["trips"]).await.expect("the first");
    let refused = other.consumer("booking", &["trips"]).await;
    match refused.err().expect("the group is taken") {
        BusError::Taken { group } => assert_eq!(group, "booking"),
        other => panic!("{other:?}"),
    }
    let _of_another_group = other.consumer("hotels", &["trips"]).await.expect("free");
    member.close().await.expect("closed");
    let _next = other.consumer("booking", &["trips"]).await.expect("free again");
}

#[tokio::test]
async fn records_whose_offsets_were_stored_but_not_committed_come_again() {
    let fixture = Fixture::new().await;
    fixture.publish("trips", &["a", "b"]).await;
    let mut consumer = fixture.log.consumer("g", &["trips"]).await.expect("a consumer");
    assert_eq!(consumer.receive(10).await.expect("records").len(), 2);
    consumer.store(&[position("trips", 2)]).expect("stored");
    drop(consumer);
    let mut again = fixture.log.consumer("g", &["trips"]).await.expect("a consumer");
    assert_eq!(again.receive(10).await.expect("records").len(), 2);
}

#[tokio::test]
async fn retention_deletes_old_records() {
    let fixture = Fixture::new().await;
    // More than one transaction of the retention deletes.
    let keys = vec!["k"; 2_500];
    fixture.publish("trips", &keys).await;
    fixture.clock.advance(6 * DAY);
    fixture.publish("trips", &["young"]).await;
    assert_eq!(fixture.log.retention().await.expect("applied"), 0);
    fixture.clock.advance(2 * DAY);
    assert_eq!(fixture.log.retention().await.expect("applied"), 2_500);
    assert_eq!(fixture.watermarks("trips").await, (2_500, 2_501));
    let mut consumer = fixture.log.consumer("g", &["trips"]).await.expect("a consumer");
    let left = consumer.receive(10).await.expect("records");
    assert_eq!((left.len(), left[0].key.as_slice()), (1, b"young".as_slice()));
    // Offsets are never used again, not even after all records were deleted.
    consumer.store(&[position("trips", 2_501)]).expect("stored");
    consumer.close().await.expect("closed");
    fixture.clock.advance(30 * DAY);
    assert_eq!(fixture.log.retention().await.expect("applied"), 1);
    assert_eq!(fixture.watermarks("trips").await, (2_501, 2_501));
}

#[tokio::test]
async fn retention_waits_for_a_group_that_has_not_read_yet() {
    let fixture = Fixture::new().await;
    let mut consumer = fixture.log.consumer("g", &["trips"]).await.expect("a consumer");
    fixture.publish("trips", &["a", "b", "c"]).await;
    assert_eq!(consumer.receive(10).await.expect("records").len(), 3);
    consumer.store(&[position("trips", 1)]).expect("stored");
    consumer.close().await.expect("closed");
    fixture.clock.advance(30 * DAY);
    assert_eq!(fixture.log.retention().await.expect("applied"), 1);
    assert_eq!(fixture.watermarks("trips").await, (1, 3));
}

#[tokio::test]
async fn a_compacted_topic_keeps_the_latest_of_each_key() {
    let fixture = Fixture::new().await;
    fixture.publish("notices", &["a", "b", "a", "c", "a"]).await;
    fixture.clock.advance(30 * DAY);
    fixture.publish("notices", &["b"]).await;
    assert_eq!(fixture.log.retention().await.expect("applied"), 3);
    assert_eq!(fixture.log.retention().await.expect("applied"), 0);
    let mut consumer = fixture.log.consumer("g", &["notices"]).await.expect("a consumer");
    let left = consumer.receive(10).await.expect("records");
    let left: Vec<_> = left.iter().map(|r| (r.offset, r.key.as_slice())).collect();
    assert_eq!(left, [(3, b"c".as_slice()), (4, b"a"), (5, b"b")]);
}

#[tokio::test]
async fn records_that_were_deleted_while_a_consumer_runs_are_not_passed_over() {
    let fixture = Fixture::new().await;
    let topics = ["trips", "notices"];
    for left in [&[][..], &["young"]] {
        let mut consumer = fixture.log.consumer("g", &topics).await.expect("a consumer");
        fixture.publish("trips", &["old"]).await;
        delete_subscriptions(&fixture).await;
        fixture.clock.advance(30 * DAY);
        fixture.publish("trips", left).await;
        fixture.apply_retention().await;
        let (low, high) = fixture.watermarks("trips").await;
        assert_eq!((low..high).count(), left.len());
        fixture.publish("notices", &["new"]).await;
        let error = consumer.receive(10).await.expect_err("a record is missing");
        assert!(matches!(error, BusError::OutOfReach), "{error:?}");
        drop(consumer);
        fixture.log.rewind("g", &topics).await.expect("rewound");
    }
}

#[tokio::test]
async fn a_group_that_missed_records_has_to_be_rewound_before_it_reads() {
    let fixture = Fixture::new().await;
    fixture.publish("trips", &["a"]).await;
    let mut consumer = fixture.log.consumer("g", &["trips", "notices"]).await.expect("one");
    consumer.receive(1).await.expect("records");
    consumer.store(&[position("trips", 1)]).expect("stored");
    consumer.close().await.expect("closed");
    delete_subscriptions(&fixture).await;
    fixture.publish("trips", &["b", "c"]).await;
    fixture.clock.advance(30 * DAY);
    assert_eq!(fixture.log.retention().await.expect("applied"), 3);
    let states = fixture.log.partitions("g", &["trips"]).await.expect("states");
    assert_eq!((states[0].committed, states[0].low, states[0].is_in_reach()), (Some(1), 3, false));
    let refused = fixture.log.consumer("g", &["trips"]).await.err().expect("refused");
    assert!(matches!(refused, BusError::OutOfReach), "{refused:?}");
    fixture.log.rewind("g", &["trips"]).await.expect("rewound");
    fixture.publish("trips", &["d"]).await;
    let mut consumer = fixture.log.consumer("g", &["trips"]).await.expect("a consumer");
    assert_eq!(consumer.receive(10).await.expect("records")[0].offset, 3);
}

#[tokio::test]
async fn records_that_compaction_removed_do_not_count_as_missed() {
    let fixture = Fixture::new().await;
    fixture.publish("notices", &["a"]).await;
    let mut consumer = fixture.log.consumer("g", &["notices"]).await.expect("a consumer");
    consumer.receive(1).await.expect("records");
    consumer.store(&[position("notices", 1)]).expect("stored");
    consumer.close().await.expect("closed");
    fixture.publish("notices", &["a", "a"]).await;
    fixture.clock.advance(30 * DAY);
    assert_eq!(fixture.log.retention().await.expect("applied"), 2);
    assert!(fixture.log.partitions("g", &["notices"]).await.expect("states")[0].is_in_reach());
    let mut consumer = fixture.log.consumer("g", &["notices"]).await.expect("a consumer");
    assert_eq!(consumer.receive(10).await.expect("records")[0].offset, 2);
}

/// Deletes the subscriptions of the only group, which reads two topics. Retention does not wait for it then.
async fn delete_subscriptions(fixture: &Fixture) {
    let mut file = fixture.shell().await;
    let deleted = sqlx::query("delete from subscription").execute(&mut file).await;
    assert_eq!(deleted.expect("deleted").rows_affected(), 2);
}

#[tokio::test]
async fn a_consumer_passes_over_records_that_compaction_removes_while_it_runs() {
    let fixture = Fixture::new().await;
    let mut consumer = fixture.log.consumer("g", &["notices"]).await.expect("a consumer");
    fixture.publish("notices", &["a", "a", "b"]).await;
    fixture.clock.advance(30 * DAY);
    fixture.apply_retention().await;
    let read = consumer.receive(1).await.expect("records");
    assert_eq!(read[0].offset, 1);
    assert_eq!(consumer.receive(10).await.expect("records")[0].offset, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_publish_is_committed_as_a_whole_or_not_at_all() {
    let fixture = Fixture::new().await;
    let mut producer = fixture.log.producer().await.expect("a producer");
    let batch: Vec<_> = ["a", "b", "c"].map(|key| record("trips", key)).into();
    let mut acknowledged = 0;
    for round in 0..300 {
        let give_up = async {
            for _ in 0..round % 60 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            published = producer.publish(&batch) => {
                assert!(published.error.is_none(), "{:?}", published.error);
                acknowledged += 1;
            }
            () = give_up => {}
        }
    }
    let published = producer.publish(&batch).await;
    assert_eq!(published.acknowledged, [true; 3]);
    let (low, high) = fixture.watermarks("trips").await;
    assert!(low == 0 && high % 3 == 0 && high >= 3 * (acknowledged + 1), "{high}");
    let mut consumer = fixture.log.consumer("g", &["trips"]).await.expect("a consumer");
    let all = consumer.receive(2_000).await.expect("records");
    let expected = (0..high).zip([b"a", b"b", b"c"].into_iter().cycle());
    let expected: Vec<_> = expected.map(|(offset, key)| (offset, key.as_slice())).collect();
    let found: Vec<_> = all.iter().map(|r| (r.offset, r.key.as_slice())).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_reader_in_another_process_stops_publishing_at_the_limit_and_nothing_is_lost() {
    let fixture = Fixture::new().await;
    let mut consumer = fixture.log.consumer("g", &["trips"]).await.expect("a consumer");
    let mut producer = fixture.log.producer().await.expect("a producer");
    let large = Outgoing { value: vec![0; 100_000], ..record("trips", "k") };
    let mut wal = fixture.path().into_os_string();
    wal.push("-wal");
    let wal_bytes = || std::fs::metadata(&wal).expect("a write-ahead log").len();
    // As long as its transaction lasts, the reader needs the file as it is now.
    let mut reader = fixture.shell().await;
    sqlx::raw_sql("begin; select * from head").execute(&mut reader).await.expect("it reads");
    let mut acknowledged = 0;
    let refused = loop {
        let published = producer.publish(std::slice::from_ref(&large)).await;
        if let Some(error) = published.error {
            assert_eq!(published.acknowledged, [false]);
            break error;
        }
        acknowledged += 1;
        assert!(wal_bytes() < 2 * MAX_WAL_BYTES, "it grows beyond its limit");
    };
    assert!(wal_bytes() > MAX_WAL_BYTES);
    assert!(matches!(refused, BusError::Unavailable { .. }) && refused.is_transient());
    let text = refused.to_string();
    assert!(text.contains("bus.db-wal has 2 MiB") && text.contains("end that program"), "{text}");
    // Consumers still receive records, and their offsets wait.
    let read = consumer.receive(1_000).await.expect("records");
    assert_eq!(read.len(), acknowledged);
    consumer.store(&[position("trips", 1)]).expect("stored");
    consumer.close().await.expect_err("there is no room for offsets either");

    reader.close().await.expect("it ends");
    fixture.publish("trips", &["next"]).await;
    assert!(wal_bytes() < MAX_WAL_BYTES);
    let (low, high) = fixture.watermarks("trips").await;
    assert_eq!((low, usize::try_from(high).expect("positive")), (0, acknowledged + 1));
}

#[tokio::test]
async fn a_file_of_another_version_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bus.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut file = SqliteConnection::connect(&url).await.expect("a file");
    sqlx::query("pragma user_version = 99").execute(&mut file).await.expect("set");
    file.close().await.expect("closed");
    let error = Log::open(&path, "", LogOptions::default()).await.err().expect("refused");
    assert!(error.to_string().contains("version 99"), "{error}");
}
