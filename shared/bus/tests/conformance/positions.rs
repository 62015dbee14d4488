//! Checks of offsets, lag, rewinding and pausing.

use quintet_bus::{Bus, BusError, PartitionState, Position};

use crate::rig::{Rig, after, numbered, publish, sorted_numbers, take, values, within};

pub async fn records_that_were_not_stored_come_again(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..20)).await;
    let mut first = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let all = take(&mut first, 20).await;
    // Without `close`, as in a crash.
    drop(first);
    let other = rig.connect().await;
    let mut second = other.consumer("g", &["trips"]).await.expect("a consumer");
    let again = take(&mut second, 20).await;
    assert_eq!(sorted_numbers(&again), sorted_numbers(&all));
    // Stores the first record of each partition only, and closes.
    let firsts: Vec<_> = again.into_iter().filter(|record| record.offset == 0).collect();
    second.store(&after(&firsts)).expect("stored");
    second.close().await.expect("closed");
    let mut third = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let rest = take(&mut third, 20 - firsts.len()).await;
    assert!(rest.iter().all(|record| record.offset > 0));
}

pub async fn records_that_were_stored_before_close_do_not_come_again(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..20)).await;
    let mut first = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let all = take(&mut first, 20).await;
    first.store(&after(&all)).expect("stored");
    within(first.close()).await.expect("closed");
    publish(&*bus, &numbered(20..21)).await;
    let mut second = bus.consumer("g", &["trips"]).await.expect("a consumer");
    assert_eq!(values(&take(&mut second, 1).await), ["20"]);
}

pub async fn stored_offsets_reach_the_broker_by_themselves(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..20)).await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let all = take(&mut consumer, 20).await;
    consumer.store(&after(&all)).expect("stored");
    let other = rig.connect().await;
    let committed = async { while lag(&states(&*other).await) > 0 {} };
    within(committed).await;
    // The offsets are committed although the consumer is not closed.
    drop(consumer);
    publish(&*bus, &numbered(20..21)).await;
    let mut second = other.consumer("g", &["trips"]).await.expect("a consumer");
    assert_eq!(values(&take(&mut second, 1).await), ["20"]);
}

pub async fn partitions_report_watermarks_and_lag(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..20)).await;
    let before = states(&*bus).await;
    let partitions: Vec<_> = before.iter().map(|state| state.partition).collect();
    assert_eq!(partitions, [0, 1, 2]);
    assert!(before.iter().all(|s| s.topic == "trips" && s.low == 0 && s.committed.is_none()));
    assert_eq!(lag(&before), 20);
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let all = take(&mut consumer, 20).await;
    consumer.store(&after(&all)).expect("stored");
    consumer.close().await.expect("closed");
    let done = states(&*bus).await;
    assert_eq!(lag(&done), 0);
    for state in done.iter().filter(|state| state.high > 0) {
        assert_eq!(state.committed, Some(state.high), "{state:?}");
    }
    publish(&*bus, &numbered(20..23)).await;
    assert_eq!(lag(&states(&*bus).await), 3);
}

pub async fn only_a_group_without_members_can_be_rewound(rig: &dyn Rig) {
    let bus = rig.bus().await;
    let other = rig.connect().await;
    publish(&*bus, &numbered(0..20)).await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let all = take(&mut consumer, 20).await;
    consumer.store(&after(&all)).expect("stored");
    match within(other.rewind("g", &["trips"])).await {
        Err(BusError::GroupActive { group }) => assert_eq!(group, "g"),
        other => panic!("{other:?}"),
    }
    consumer.close().await.expect("closed");
    within(other.rewind("g", &["trips"])).await.expect("rewound");
    assert_eq!(lag(&states(&*bus).await), 20);
    let mut again = bus.consumer("g", &["trips"]).await.expect("a consumer");
    assert_eq!(take(&mut again, 20).await.len(), 20);
}

pub async fn nothing_arrives_while_paused(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..20)).await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    // When the pause begins, the client has fetched some records already.
    let mut all = within(consumer.receive(3)).await.expect("records");
    consumer.pause().expect("paused");
    publish(&*bus, &numbered(20..40)).await;
    // Until another group has received all records, this consumer receives none.
    let witness = async {
        let mut witness = bus.consumer("w", &["trips"]).await.expect("a consumer");
        take(&mut witness, 40).await
    };
    tokio::select! {
        received = consumer.receive(100) => panic!("received while paused: {received:?}"),
        seen = witness => assert_eq!(seen.len(), 40),
    }
    consumer.resume().expect("resumed");
    all.extend(take(&mut consumer, 40 - all.len()).await);
    assert_eq!(sorted_numbers(&all), (0..40).collect::<Vec<_>>());
}

pub async fn positions_of_foreign_partitions_are_ignored(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..20)).await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let all = take(&mut consumer, 20).await;
    let foreign = |topic: &str, partition| Position { topic: topic.to_owned(), partition, next: 1 };
    let mut positions = vec![foreign("notices", 0), foreign("trips", 99)];
    positions.extend(after(&all));
    consumer.store(&positions).expect("stored");
    consumer.close().await.expect("closed");
    assert_eq!(lag(&states(&*bus).await), 0);
    let notices = bus.partitions("g", &["notices"]).await.expect("states");
    assert!(notices.iter().all(|state| state.committed.is_none()));
}

async fn states(bus: &dyn Bus) -> Vec<PartitionState> {
    bus.partitions("g", &["trips"]).await.expect("states")
}

fn lag(states: &[PartitionState]) -> i64 {
    states.iter().map(PartitionState::lag).sum()
}
