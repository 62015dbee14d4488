//! Checks of Kafka only: several members of a group, rebalances, an absent broker. Most need
//! `QUINTET_TEST_KAFKA=HOST:PORT`.

#[path = "conformance/rig.rs"]
#[expect(dead_code, reason = "shared with the conformance suite")]
mod rig;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use quintet_bus::{Bus, Consumer, Settings};
use rig::{KafkaRig, Rig, after, numbered, publish, sorted_numbers, within};
use tokio::time::timeout;

/// How long a round waits before it publishes again.
const ROUND: Duration = Duration::from_secs(1);

/// The members of a group share the partitions, and get those of a member that leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_the_partitions() {
    let Some(rig) = KafkaRig::new() else { return };
    let (one, two) = (rig.bus().await, rig.connect().await);
    let mut first = one.consumer("g", &["trips"]).await.expect("a consumer");
    let mut second = two.consumer("g", &["trips"]).await.expect("a consumer");
    let mut start = 0;
    let mut seen = BTreeSet::new();
    // Until both members receive records of the same round, for which each must have a partition.
    within(async {
        loop {
            publish(&*one, &numbered(start..start + 50)).await;
            start += 50;
            let mut shares = [0, 0];
            while seen.len() < start {
                tokio::select! {
                    records = first.receive(50) => shares[0] += note(&mut first, records, &mut seen),
                    records = second.receive(50) => shares[1] += note(&mut second, records, &mut seen),
                }
            }
            if shares.iter().all(|&share| share > 0) {
                break;
            }
        }
    })
    .await;
    within(second.close()).await.expect("closed");
    publish(&*one, &numbered(start..start + 50)).await;
    while seen.len() < start + 50 {
        let records = within(first.receive(50)).await;
        note(&mut first, records, &mut seen);
    }
}

/// A member that hung while the group went on does not set the group back by the records that it still had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_wakes_up_late_does_not_undo_what_others_have_stored() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    // Short, so that its absence is noticed soon. Kafka accepts no less than the session time-out.
    let impatient = rig.open("", &[("max.poll.interval.ms", "6000")]).await;
    publish(&*bus, &numbered(0..30)).await;
    let mut late = impatient.consumer("g", &["trips"]).await.expect("a consumer");
    let held = rig::take(&mut late, 30).await;
    // The late member does not poll any more, so the next one gets its partitions.
    let mut next = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let again = rig::take(&mut next, 30).await;
    next.store(&after(&again)).expect("stored");
    within(next.close()).await.expect("closed");

    publish(&*bus, &numbered(30..60)).await;
    let more = rig::take(&mut late, 30).await;
    let stale: Vec<_> = held.iter().map(|record| after(std::slice::from_ref(record))).collect();
    for positions in stale {
        late.store(&positions).expect("ignored");
    }
    within(late.close()).await.expect("closed");
    let lag = async || {
        let states = bus.partitions("g", &["trips"]).await.expect("states");
        states.iter().map(quintet_bus::PartitionState::lag).sum::<i64>()
    };
    assert_eq!(usize::try_from(lag().await), Ok(more.len()), "only the new records are not stored");
}

/// Stores the received records and returns how many there were.
fn note(
    consumer: &mut Box<dyn Consumer>,
    records: Result<Vec<quintet_bus::Incoming>, quintet_bus::BusError>,
    seen: &mut BTreeSet<usize>,
) -> usize {
    let records = records.expect("records");
    consumer.store(&after(&records)).expect("stored");
    seen.extend(sorted_numbers(&records));
    records.len()
}

/// A consumer that is paused before it has any partition returns nothing until it is resumed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_assigned_during_a_pause_are_paused() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..30)).await;
    let mut paused = bus.consumer("g", &["trips"]).await.expect("a consumer");
    // Before it has any partition.
    paused.pause().expect("paused");
    let joined = async {
        // The polls of `receive` make it a member, which shows when the group cannot be rewound any more.
        while bus.rewind("g", &["trips"]).await.is_ok() {}
        let mut witness = bus.consumer("w", &["trips"]).await.expect("a consumer");
        rig::take(&mut witness, 30).await
    };
    tokio::select! {
        received = paused.receive(100) => panic!("received while paused: {received:?}"),
        seen = within(joined) => assert_eq!(seen.len(), 30),
    }
    paused.resume().expect("resumed");
    assert_eq!(rig::take(&mut paused, 30).await.len(), 30);
}

/// Partitions that are revoked during a pause and assigned again after it are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_revoked_during_a_pause_come_back_unpaused() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    let mut first = bus.consumer("g", &["trips"]).await.expect("a consumer");
    publish(&*bus, &numbered(0..30)).await;
    let mut seen = BTreeSet::new();
    while seen.len() < 30 {
        let records = within(first.receive(50)).await;
        note(&mut first, records, &mut seen);
    }
    first.pause().expect("paused");
    let mut second = rig.connect().await.consumer("g", &["trips"]).await.expect("a consumer");
    let mut start = 30;
    // Until the group has assigned some partitions to the second member.
    let taken = async {
        loop {
            publish(&*bus, &numbered(start..start + 30)).await;
            start += 30;
            if let Ok(records) = timeout(ROUND, second.receive(50)).await {
                break note(&mut second, records, &mut seen);
            }
        }
    };
    tokio::select! {
        received = first.receive(50) => panic!("received while paused: {received:?}"),
        taken = within(taken) => assert!(taken > 0),
    }
    first.resume().expect("resumed");
    within(second.close()).await.expect("closed");
    publish(&*bus, &numbered(start..start + 30)).await;
    while seen.len() < start + 30 {
        let records = within(first.receive(50)).await;
        note(&mut first, records, &mut seen);
    }
}

/// They are read within seconds. By its default librdkafka would take five minutes to notice them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_while_a_consumer_runs_are_read() {
    let Some(rig) = KafkaRig::new() else { return };
    let bus = rig.bus().await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    publish(&*bus, &numbered(0..30)).await;
    assert_eq!(rig::take(&mut consumer, 30).await.len(), 30);
    // Most keys go to the new ones.
    rig.add_partitions(&*bus, 12).await;
    publish(&*bus, &numbered(30..60)).await;
    let records = rig::take(&mut consumer, 30).await;
    assert_eq!(sorted_numbers(&records), (30..60).collect::<Vec<_>>());
    assert!(records.iter().any(|record| record.partition >= 3), "{records:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_broker_is_a_transient_error() {
    // A port on which no process listens.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let bus = connect(&format!("kafka:127.0.0.1:{port}")).await.expect("no connection yet");
    let mut producer = bus.producer().await.expect("a producer");
    let published = within(producer.publish(&numbered(0..2))).await;
    assert_eq!(published.acknowledged, [false, false]);
    assert!(published.error.expect("an error").is_transient());
    let (states, consumer, created) = tokio::join!(
        within(bus.partitions("g", &["trips"])),
        within(bus.consumer("g", &["trips"])),
        within(bus.create_topics(&rig::TOPICS)),
    );
    for error in [states.err(), consumer.err(), created.err()] {
        let error = error.expect("no broker");
        assert!(error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn the_error_about_a_wrong_url_says_what_a_right_one_is() {
    for url in ["", "kafka:", "log:", "localhost:9092", "redis://x"] {
        let error = connect(url).await.err().expect("must be refused");
        assert!(error.to_string().contains("kafka:HOST:PORT"), "{url}: {error}");
    }
}

async fn connect(url: &str) -> Result<std::sync::Arc<dyn Bus>, quintet_bus::BusError> {
    let settings = Settings { url: url.to_owned(), ..Settings::default() };
    quintet_bus::connect(&settings).await
}
