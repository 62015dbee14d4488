//! Readers of Kafka while the broker is away, and when partitions are added. Needs `QUINTET_TEST_KAFKA=HOST:PORT` and
//! `QUINTET_TEST_KAFKA_DIR`.

#[path = "conformance/rig.rs"]
#[expect(dead_code, reason = "shared with the conformance suite")]
mod rig;

use std::sync::Arc;
use std::time::Duration;

use quintet_bus::{Incoming, Reader, Settings, Start};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rig::{KafkaRig, Rig, TOPICS, numbered, publish, sorted_numbers, within};

async fn receive(reader: &mut dyn Reader, count: usize) -> Vec<Incoming> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(within(reader.receive(100)).await.expect("records"));
    }
    records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_after_the_broker_was_away() {
    let Some(kafka) = testkit::kafka_dir() else { return };
    let broker = Arc::new(testkit::Broker::start(&kafka, &[]));
    let settings = Settings { url: format!("kafka:{}", broker.address()), ..Settings::default() };
    let bus = quintet_bus::connect(&settings).await.expect("settings are right");
    within(async { while bus.create_topics(&TOPICS).await.is_err() {} }).await;
    let mut reader = bus.reader(&["trips"], Start::End).await.expect("a reader");
    publish(&*bus, &numbered(0..30)).await;
    assert_eq!(sorted_numbers(&receive(&mut *reader, 30).await), (0..30).collect::<Vec<_>>());
    broker.stop();
    let back = Arc::clone(&broker);
    let publishing = async {
        // On a thread of its own, so that the reader waits meanwhile.
        tokio::task::spawn_blocking(move || back.go_on()).await.expect("it listens");
        publish(&*bus, &numbered(30..60)).await;
    };
    let (later, ()) = tokio::join!(receive(&mut *reader, 30), publishing);
    assert_eq!(sorted_numbers(&later), (30..60).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_partitions_that_are_added_are_read_once() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..30)).await;
    let mut reader = bus.reader(&["trips"], Start::Lowest).await.expect("a reader");
    let mut all = receive(&mut *reader, 10).await;
    rig.add_partitions(&*bus, 12).await;
    publish(&*bus, &numbered(30..60)).await;
    let rest = receive(&mut *reader, 60 - all.len()).await;
    all.extend(rest);
    assert_eq!(sorted_numbers(&all), (0..60).collect::<Vec<_>>());
    assert!(all.iter().any(|record| record.partition >= 3), "{all:?}");
    assert_eq!(reader.positions().len(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_never_hears_of_the_readers_group() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..30)).await;
    let mut reader = bus.reader(&["trips"], Start::Lowest).await.expect("a reader");
    assert_eq!(receive(&mut *reader, 30).await.len(), 30);
    let client: BaseConsumer = rig.config().create().expect("a client");
    let groups = client.client().fetch_group_list(None, Duration::from_secs(10)).expect("groups");
    let names: Vec<_> = groups.groups().iter().map(|group| group.name().to_owned()).collect();
    let readers = format!("{}quintet-reader", rig.namespace);
    assert!(!names.contains(&readers), "{names:?}");
}
