//! Groups whose next record was deleted, or does not exist any more. Needs `QUINTET_TEST_KAFKA=HOST:PORT`.

#[path = "conformance/rig.rs"]
#[expect(dead_code, reason = "shared with the conformance suite")]
mod rig;

use quintet_bus::{Bus, BusError, Incoming, PartitionState};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rig::{DeletesRecords, KafkaRig, Rig, after, numbered, publish, sorted_numbers, take, within};

/// The name of a topic or group at the broker.
fn name(rig: &KafkaRig, name: &str) -> String {
    format!("{}{name}", rig.namespace)
}

fn brokers(rig: &KafkaRig) -> &str {
    rig.url.trim_start_matches("kafka:")
}

/// The same offset in all three partitions of `trips`.
fn in_all_partitions(rig: &KafkaRig, offset: i64) -> TopicPartitionList {
    let (mut list, topic) = (TopicPartitionList::new(), name(rig, "trips"));
    for partition in 0..3 {
        list.add_partition_offset(&topic, partition, Offset::Offset(offset)).expect("an offset");
    }
    list
}

async fn states(bus: &dyn Bus, group: &str) -> Vec<PartitionState> {
    bus.partitions(group, &["trips"]).await.expect("states")
}

async fn read_and_leave(bus: &dyn Bus, group: &str, count: usize) -> Vec<Incoming> {
    let mut consumer = bus.consumer(group, &["trips"]).await.expect("a consumer");
    let all = take(&mut consumer, count).await;
    consumer.store(&after(&all)).expect("stored");
    within(consumer.close()).await.expect("closed");
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_were_deleted_unread_are_not_passed_over() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..100)).await;
    read_and_leave(&*bus, "g", 100).await;
    publish(&*bus, &numbered(100..200)).await;
    assert!(states(&*bus, "g").await.iter().all(PartitionState::is_in_reach));
    // Of each partition only the last records are kept, so some of the second hundred are deleted too.
    let lowest = states(&*bus, "g").await.iter().map(|state| state.high).min().expect("a topic");
    rig.delete_below(lowest - 1).await;
    let missed = states(&*bus, "g").await;
    assert!(missed.iter().any(|state| !state.is_in_reach()), "{missed:?}");
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let error = loop {
        if let Err(error) = within(consumer.receive(10)).await {
            break error;
        }
    };
    assert!(matches!(error, BusError::OutOfReach), "{error:?}");
    assert!(!error.is_transient());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_were_deleted_before_the_first_read_count_as_missed() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    let member = bus.consumer("g", &["trips"]).await.expect("a consumer");
    within(member.close()).await.expect("closed");
    assert!(states(&*bus, "g").await.iter().all(|state| state.committed == Some(0)));
    publish(&*bus, &numbered(0..100)).await;
    rig.delete_below(1).await;
    assert!(states(&*bus, "g").await.iter().all(|state| !state.is_in_reach()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_were_deleted_while_a_consumer_runs_are_not_passed_over() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    publish(&*bus, &numbered(0..1)).await;
    let first = take(&mut consumer, 1).await;
    consumer.store(&after(&first)).expect("stored");
    consumer.pause().expect("paused");
    // Fetches under way may bring records of the first thousand. The second thousand comes after the pause.
    publish(&*bus, &numbered(1..1_001)).await;
    publish(&*bus, &numbered(1_001..2_001)).await;
    let lowest = states(&*bus, "g").await.iter().map(|state| state.high).min().expect("a topic");
    rig.delete_below(lowest).await;
    consumer.resume().expect("resumed");
    let error = loop {
        match within(consumer.receive(1_000)).await {
            Ok(records) => {
                let offsets = records.iter().map(|record| record.offset).collect::<Vec<_>>();
                assert!(offsets.iter().all(|offset| *offset < lowest), "passed over: {offsets:?}");
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, BusError::OutOfReach), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_group_begins_with_the_oldest_record() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..100)).await;
    rig.delete_below(3).await;
    let left: i64 = states(&*bus, "new").await.iter().map(|state| state.high - state.low).sum();
    let left = usize::try_from(left).expect("a count");
    assert!(left < 100);
    let all = read_and_leave(&*bus, "new", left).await;
    assert_eq!(all.iter().map(|record| record.offset).min(), Some(3));
    assert_eq!(sorted_numbers(&all).len(), left);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offset_beyond_the_end_is_an_error() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..100)).await;
    // The group's offsets are as if the broker had lost records that the group has read.
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers(&rig)).set("group.id", name(&rig, "g"));
    let operator: BaseConsumer = config.create().expect("a client");
    let beyond = in_all_partitions(&rig, 1_000);
    operator.commit(&beyond, CommitMode::Sync).expect("a group without members takes it");
    let states = states(&*bus, "g").await;
    assert!(states.iter().all(|state| !state.is_in_reach()), "{states:?}");
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let error = within(consumer.receive(10)).await.expect_err("there is nothing to receive");
    assert!(matches!(error, BusError::OutOfReach), "{error:?}");
}
