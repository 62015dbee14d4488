//! Checks of readers, which belong to no group.

use std::collections::BTreeMap;
use std::ops::Range;

use quintet_bus::{Bus, BusError, Incoming, Position, Reader, Start};

use crate::dropped::receive_with_drops;
use crate::rig::{DeletesRecords, Rig, after, numbered, publish, sorted_numbers, take, within};

const TRIPS: &[&str] = &["trips"];

async fn open(bus: &dyn Bus, from: Start) -> Box<dyn Reader> {
    within(bus.reader(TRIPS, from)).await.expect("a reader")
}

/// Receives `count` records.
async fn receive(reader: &mut dyn Reader, count: usize) -> Vec<Incoming> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(within(reader.receive(100)).await.expect("records"));
    }
    assert_eq!(records.len(), count, "there are more records than expected");
    records
}

/// Reads on to the end.
async fn read(reader: &mut dyn Reader) -> Vec<Incoming> {
    let mut seen = Vec::new();
    loop {
        let records = within(reader.read(7)).await.expect("records");
        if records.is_empty() {
            return seen;
        }
        seen.extend(records);
    }
}

/// Fails unless the records are these numbers, each once, and those of each partition follow each other.
fn assert_complete(records: &[Incoming], numbers: Range<usize>) {
    assert_eq!(sorted_numbers(records), numbers.collect::<Vec<_>>());
    let mut last = BTreeMap::new();
    for record in records {
        let before = last.insert((&record.topic, record.partition), record.offset);
        assert!(before.is_none_or(|before| record.offset == before + 1), "{record:?}");
    }
}

async fn refusal(bus: &dyn Bus, from: Start) -> BusError {
    within(bus.reader(TRIPS, from)).await.err().expect("must be refused")
}

fn at(next: i64) -> Start {
    let positions = (0..3).map(|partition| Position { topic: "trips".to_owned(), partition, next });
    Start::At(positions.collect())
}

pub async fn a_reader_sees_all_records_and_later_ones(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..50)).await;
    let topics = ["trips", "notices"];
    let mut reader = bus.reader(&topics, Start::Lowest).await.expect("a reader");
    assert_complete(&read(&mut *reader).await, 0..50);
    publish(&*bus, &numbered(50..51)).await;
    let later = within(reader.read(7)).await.expect("records");
    assert_eq!(sorted_numbers(&later), [50]);
    let states = bus.partitions("g", &topics).await.expect("states");
    let expected = states.iter().map(|state| (state.topic.clone(), state.partition, state.high));
    let mut expected: Vec<_> = expected.collect();
    let positions = reader.positions().into_iter();
    let mut positions: Vec<_> = positions.map(|p| (p.topic, p.partition, p.next)).collect();
    expected.sort();
    positions.sort();
    assert_eq!(positions, expected);
    let unknown = bus.reader(&["nothing"], Start::End).await.err().expect("there is no such topic");
    assert!(matches!(unknown, BusError::UnknownTopic { .. }), "{unknown:?}");
}

pub async fn a_reader_from_the_end_sees_later_records_only(rig: &dyn Rig) {
    let (reading, writing) = (rig.bus().await, rig.connect().await);
    publish(&*writing, &numbered(0..50)).await;
    let mut reader = open(&*reading, Start::End).await;
    let mut producer = writing.producer().await.expect("a producer");
    for round in 50..70 {
        let sent = numbered(round..round + 1);
        // The reader waits in most rounds, and comes after the publish in some.
        let publishing = within(producer.publish(&sent));
        let (received, published) = tokio::join!(receive(&mut *reader, 1), publishing);
        assert_eq!(published.acknowledged, [true]);
        assert_eq!(sorted_numbers(&received), [round]);
    }
}

pub async fn a_reader_goes_on_where_another_one_was(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..100)).await;
    let mut first = open(&*bus, Start::Lowest).await;
    let mut all = Vec::new();
    while all.len() < 40 {
        all.extend(within(first.receive(7)).await.expect("records"));
    }
    let mut second = open(&*rig.connect().await, Start::At(first.positions())).await;
    assert_eq!(second.positions(), first.positions());
    publish(&*bus, &numbered(100..120)).await;
    let rest = receive(&mut *second, 120 - all.len()).await;
    all.extend(rest);
    assert_complete(&all, 0..120);
    // A partition that is not named begins at offset 0.
    let mut third = open(&*bus, Start::At(Vec::new())).await;
    assert_complete(&read(&mut *third).await, 0..120);
}

pub async fn a_reader_disturbs_no_group(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..30)).await;
    let mut before = open(&*bus, Start::Lowest).await;
    let mut consumer = bus.consumer("g", TRIPS).await.expect("a consumer");
    let first = take(&mut consumer, 30).await;
    let mut during = open(&*bus, Start::Lowest).await;
    assert_complete(&receive(&mut *before, 30).await, 0..30);
    assert_complete(&receive(&mut *during, 30).await, 0..30);
    consumer.store(&after(&first)).expect("stored");
    publish(&*bus, &numbered(30..60)).await;
    assert_eq!(sorted_numbers(&take(&mut consumer, 30).await), (30..60).collect::<Vec<_>>());
    within(consumer.close()).await.expect("closed");
    let states = bus.partitions("g", TRIPS).await.expect("states");
    assert_eq!(states.iter().map(quintet_bus::PartitionState::lag).sum::<i64>(), 30);
    // Open readers are no members.
    within(bus.rewind("g", TRIPS)).await.expect("rewound");
    for group in ["quintet-reader", "other"] {
        let states = bus.partitions(group, TRIPS).await.expect("states");
        assert!(states.iter().all(|state| state.committed.is_none()), "{group}: {states:?}");
    }
}

pub async fn no_more_than_max_records_are_read(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..50)).await;
    let mut reader = open(&*bus, Start::Lowest).await;
    let mut all = Vec::new();
    while all.len() < 50 {
        let some = within(reader.receive(7)).await.expect("records");
        assert!((1..=7).contains(&some.len()), "{}", some.len());
        all.extend(some);
    }
    assert_complete(&all, 0..50);
}

pub async fn a_dropped_receive_of_a_reader_loses_nothing(rig: &dyn Rig) {
    const COUNT: usize = 400;
    let (bus, writing) = (rig.bus().await, rig.connect().await);
    let mut reader = open(&*bus, Start::End).await;
    let all = receive_with_drops(&*writing, COUNT, async || reader.receive(5).await).await;
    assert_complete(&all, 0..COUNT);
}

pub async fn an_offset_beyond_the_end_is_out_of_reach(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..30)).await;
    let refused = refusal(&*bus, at(1_000)).await;
    assert!(matches!(refused, BusError::OutOfReach) && !refused.is_transient(), "{refused:?}");
    let absent = vec![Position { topic: "trips".to_owned(), partition: 3, next: 0 }];
    let refused = refusal(&*bus, Start::At(absent)).await;
    assert!(matches!(refused, BusError::OutOfReach), "there is no partition 3: {refused:?}");
}

pub async fn an_offset_that_was_deleted_is_out_of_reach(rig: &impl DeletesRecords) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..100)).await;
    rig.delete_below(3).await;
    let refused = refusal(&*bus, at(2)).await;
    assert!(matches!(refused, BusError::OutOfReach), "{refused:?}");
    let mut reader = open(&*bus, at(3)).await;
    let records = read(&mut *reader).await;
    assert_eq!(records.iter().map(|record| record.offset).min(), Some(3));
}

pub async fn records_that_were_deleted_unread_are_not_passed_over(rig: &impl DeletesRecords) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..1_000)).await;
    let mut reader = open(&*bus, Start::Lowest).await;
    let first = within(reader.receive(1)).await.expect("a record");
    assert_eq!(first.len(), 1);
    // More than a reader fetches ahead.
    for start in (1_000..13_000).step_by(1_000) {
        publish(&*bus, &numbered(start..start + 1_000)).await;
    }
    let states = bus.partitions("g", TRIPS).await.expect("states");
    let lowest = states.iter().map(|state| state.high).min().expect("a topic");
    rig.delete_below(lowest).await;
    publish(&*bus, &numbered(13_000..13_030)).await;
    let mut last: BTreeMap<i32, i64> = first.iter().map(|r| (r.partition, r.offset)).collect();
    let error = loop {
        match within(reader.receive(100)).await {
            Ok(records) => {
                for record in records {
                    let before = last.insert(record.partition, record.offset).unwrap_or(-1);
                    assert_eq!(record.offset, before + 1, "passed over: {record:?}");
                }
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, BusError::OutOfReach), "{error:?}");
}
