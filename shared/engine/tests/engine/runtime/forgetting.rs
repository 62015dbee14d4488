//! The inbox is pruned while retention deletes records. Then all records that are left are delivered again.

use std::{sync::Arc, time::Duration};

use bus::{Bus, Log, LogOptions, PartitionState, Settings as BusSettings};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
};
use testkit::{Broker, eventually};

use super::{Stage, TOPICS, add, stages};
use crate::work::tally;

const DAY: Duration = Duration::from_hours(24);
/// Retention deletes half of them.
const EVENTS: u128 = 200;
const RETENTION: &str = "retention.ms";

/// Publishes the events of these numbers, one for each tally, and waits until they are applied.
async fn apply(stage: &Stage, numbers: std::ops::RangeInclusive<u128>) {
    let records: Vec<_> = numbers.clone().map(|number| add(number, tally(number))).collect();
    stage.publish(&records).await;
    let running = stage.start();
    running.inputs_are(&*stage.bus, records.len() as u64, 0).await;
    // The toy also reads its own events, which are on the same topic.
    let read = async || (stage.lag().await == 0).then_some(());
    eventually("everything to be read", read).await;
    running.stop().await;
}

/// Runs the test on a bus; `expire` deletes the records that it has so far.
async fn forget_and_rewind(stage: &Stage, expire: impl AsyncFnOnce()) {
    let pruner = stage.rig.engine.pruner(Arc::clone(&stage.bus));
    apply(stage, 1..=EVENTS / 2).await;
    stage.rig.clock.advance(2 * DAY);
    assert_eq!(pruner.step().await.unwrap(), 0);
    assert_eq!(pruner.step().await.unwrap(), 0, "all records can still be delivered again");
    expire().await;
    apply(stage, EVENTS / 2 + 1..=EVENTS).await;
    assert_eq!(u128::from(pruner.step().await.unwrap()), EVENTS / 2);
    assert_eq!(stage.rig.count("inbox").await, 100);

    let topics = TOPICS.map(|topic| topic.name);
    stage.bus.rewind("toy-toy", &topics).await.unwrap();
    let running = stage.start();
    running.inputs_are(&*stage.bus, 100, 100).await;
    running.stop().await;
    for number in 1..=EVENTS {
        assert_eq!(stage.rig.log(tally(number)).await, "add", "{number}");
    }
}

/// Whether nothing is left in any topic.
async fn is_empty(bus: &dyn Bus) -> bool {
    let topics = TOPICS.map(|topic| topic.name);
    let states = bus.partitions("toy-toy", &topics).await.unwrap();
    states.iter().all(|PartitionState { low, high, .. }| low == high)
}

#[tokio::test]
async fn on_the_log() {
    for mut stage in stages().await {
        let options =
            LogOptions { retention: DAY, clock: stage.rig.clock.clone(), ..LogOptions::default() };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dated.db");
        let log = Arc::new(Log::open(&path, "", options).await.unwrap());
        log.create_topics(&TOPICS).await.unwrap();
        stage.bus = log.clone();
        forget_and_rewind(&stage, async || {
            log.retention().await.unwrap();
            assert!(is_empty(&*log).await);
        })
        .await;
    }
}

/// Uses a broker of its own, which often looks for records to delete.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_kafka() {
    let Some(kafka) = testkit::kafka_dir() else { return };
    let often = [
        ("log.retention.check.interval.ms", "300"),
        ("log.initial.task.delay.ms", "100"),
        ("log.segment.delete.delay.ms", "100"),
    ];
    let broker = Broker::start(&kafka, &often);
    let url = format!("kafka:{}", broker.address());
    let bus = bus::connect(&BusSettings { url, ..BusSettings::default() }).await.unwrap();
    let created = async || bus.create_topics(&TOPICS).await.ok();
    eventually("the broker to create topics", created).await;
    let mut stage = stages().await.swap_remove(0);
    stage.bus = Arc::clone(&bus);
    forget_and_rewind(&stage, async || {
        retain(&broker, "1").await;
        eventually("retention", async || is_empty(&*bus).await.then_some(())).await;
        // The broker reports a setting just before it applies it, and applies settings in order. Once it reports the
        // second one, it has applied the first.
        retain(&broker, "-1").await;
        retain(&broker, &DAY.as_millis().to_string()).await;
    })
    .await;
}

/// Sets how long the topics keep their records, in milliseconds, and waits until the broker says so.
async fn retain(broker: &Broker, millis: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address());
    let client: AdminClient<DefaultClientContext> = config.create().unwrap();
    let (options, topics) =
        (AdminOptions::new(), TOPICS.map(|it| ResourceSpecifier::Topic(it.name)));
    let changes = topics.map(|topic| AlterConfig::new(topic).set(RETENTION, millis));
    for changed in client.alter_configs(&changes, &options).await.unwrap() {
        changed.unwrap();
    }
    let known = async || {
        let described = client.describe_configs(&topics, &options).await.unwrap();
        let mut kept =
            described.into_iter().map(|topic| topic.unwrap().get(RETENTION)?.value.clone());
        kept.all(|value| value.as_deref() == Some(millis)).then_some(())
    };
    eventually("the broker to know the retention", known).await;
}
