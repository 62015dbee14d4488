//! Checks of publishing and receiving.

use std::collections::BTreeMap;

use quintet_bus::{BusError, Incoming, Outgoing, Topic, partition_of};

use crate::dropped::receive_with_drops;
use crate::rig::{Rig, TOPICS, numbered, publish, record, sorted_numbers, take, values, within};

pub async fn creating_topics_twice_changes_nothing(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..20)).await;
    let more = Topic { partitions: 7, ..TOPICS[0] };
    let other = rig.connect().await;
    other.create_topics(&[more]).await.expect("the topic exists");
    let states = other.partitions("g", &["trips"]).await.expect("states");
    assert_eq!(states.len(), 3);
    assert_eq!(states.iter().map(|state| state.high).sum::<i64>(), 20);
}

pub async fn order_is_kept_per_key(rig: &dyn Rig) {
    let bus = rig.bus().await;
    for start in (0..500).step_by(125) {
        publish(&*bus, &numbered(start..start + 125)).await;
    }
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let mut last = BTreeMap::new();
    for record in take(&mut consumer, 500).await {
        let number: usize = String::from_utf8_lossy(&record.value).parse().expect("one");
        let (partition, offset) = (record.partition, record.offset);
        if let Some((before, partition_before, offset_before)) =
            last.insert(record.key, (number, partition, offset))
        {
            assert_eq!(number, before + 10, "one of the key's records is missing");
            assert!(offset > offset_before && partition == partition_before);
        }
    }
    assert_eq!(last.len(), 10);
}

pub async fn a_key_has_the_partition_that_every_bus_gives_it(rig: &dyn Rig) {
    let bus = rig.bus().await;
    let keys = ["", "a", "SKU-1", "Zoë", "018f3c1e-7b5a-7c3d-9e21-0a1b2c3d4e5f"];
    let records: Vec<_> = keys.iter().map(|key| record(key, key)).collect();
    publish(&*bus, &records).await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    for record in take(&mut consumer, keys.len()).await {
        assert_eq!(record.partition, partition_of(&record.value, 3), "{record:?}");
    }
}

pub async fn headers_and_binary_values_arrive_intact(rig: &dyn Rig) {
    let bus = rig.bus().await;
    let headers = [("b", "\"quoted\" ünï"), ("a", ""), ("b", "again")];
    let sent = Outgoing {
        headers: headers.into_iter().collect(),
        ..record("k", (0..=255).collect::<Vec<u8>>())
    };
    publish(&*bus, &[sent.clone(), record("k", "")]).await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let received = take(&mut consumer, 2).await;
    let expected = Incoming {
        topic: "trips".to_owned(),
        partition: partition_of(b"k", 3),
        offset: 0,
        key: b"k".to_vec(),
        headers: sent.headers,
        value: sent.value,
    };
    assert_eq!(received[0], expected);
    assert_eq!(received[1].value, b"");
}

pub async fn unknown_topics_are_named(rig: &dyn Rig) {
    let bus = rig.bus().await;
    let unknown_topic = |error: BusError| match error {
        BusError::UnknownTopic { topic } => topic,
        other => panic!("{other:?}"),
    };
    let mut producer = bus.producer().await.expect("a producer");
    let misspelt = Outgoing { topic: "ordrs".to_owned(), ..record("k", "lost") };
    let records = [record("k", "1"), misspelt, record("k", "2")];
    let published = within(producer.publish(&records)).await;
    assert_eq!(published.acknowledged, [true, false, false]);
    assert_eq!(unknown_topic(published.error.expect("an error")), "ordrs");
    let states = within(bus.partitions("g", &["ordrs"])).await;
    assert_eq!(unknown_topic(states.expect_err("unknown")), "ordrs");
    let consumer = within(bus.consumer("g", &["trips", "ordrs"])).await;
    assert_eq!(unknown_topic(consumer.err().expect("unknown")), "ordrs");
}

pub async fn a_large_record_passes(rig: &dyn Rig) {
    let bus = rig.bus().await;
    // Random bytes, which compression does not make smaller.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let large: Vec<u8> = noise.take(bus.max_record_bytes() - 1).collect();
    assert!(large.len() >= 900_000);
    publish(&*bus, &[record("k", &large), record("k", "small")]).await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let received = take(&mut consumer, 2).await;
    assert!(received[0].value == large, "the large value changed");
}

pub async fn no_record_behind_a_too_large_one_is_published(rig: &dyn Rig) {
    let bus = rig.bus().await;
    let mut producer = bus.producer().await.expect("a producer");
    let limit = bus.max_record_bytes();
    let records =
        [record("a", "1"), record("b", "2"), record("c", vec![0; limit]), record("a", "4")];
    let published = within(producer.publish(&records)).await;
    assert_eq!(published.acknowledged, [true, true, false, false]);
    match published.error.expect("an error") {
        BusError::TooLarge { key, bytes, limit: reported, .. } => {
            assert_eq!((key.as_str(), bytes, reported), ("c", limit + 1, limit));
        }
        other => panic!("{other:?}"),
    }
    // The producer still works, and the refused records do not arrive later.
    let published = within(producer.publish(&[record("a", "5")])).await;
    assert_eq!(published.acknowledged, [true]);
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let mut received = values(&take(&mut consumer, 3).await);
    received.sort();
    assert_eq!(received, ["1", "2", "5"]);
}

pub async fn an_empty_publish_does_nothing(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &[]).await;
    let states = bus.partitions("g", &["trips"]).await.expect("states");
    assert!(states.iter().all(|state| state.high == 0));
}

pub async fn a_waiting_consumer_is_woken(rig: &dyn Rig) {
    let reading = rig.bus().await;
    let writing = rig.connect().await;
    let mut consumer = reading.consumer("g", &["trips"]).await.expect("a consumer");
    let mut producer = writing.producer().await.expect("a producer");
    for round in 0..20 {
        let sent = numbered(round..round + 1);
        // The consumer is polled before the publish in most rounds, and after it in some. Both must work.
        let publishing = within(producer.publish(&sent));
        let (received, published) = tokio::join!(take(&mut consumer, 1), publishing);
        assert_eq!(published.acknowledged, [true]);
        assert_eq!(sorted_numbers(&received), [round]);
    }
}

pub async fn no_more_than_max_records_are_returned(rig: &dyn Rig) {
    let bus = rig.bus().await;
    publish(&*bus, &numbered(0..50)).await;
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let mut all = Vec::new();
    while all.len() < 50 {
        let some = within(consumer.receive(7)).await.expect("records");
        assert!((1..=7).contains(&some.len()), "{}", some.len());
        all.extend(some);
    }
    assert_eq!(sorted_numbers(&all), (0..50).collect::<Vec<_>>());
}

pub async fn a_dropped_receive_loses_nothing(rig: &dyn Rig) {
    const COUNT: usize = 400;
    let (bus, writing) = (rig.bus().await, rig.connect().await);
    let mut consumer = bus.consumer("g", &["trips"]).await.expect("a consumer");
    let all = receive_with_drops(&*writing, COUNT, async || consumer.receive(5).await).await;
    assert_eq!(sorted_numbers(&all), (0..COUNT).collect::<Vec<_>>());
}

pub async fn two_producers_leave_no_gap(rig: &dyn Rig) {
    let (one, two) = (rig.bus().await, rig.connect().await);
    let publishing = |bus: std::sync::Arc<dyn quintet_bus::Bus>, start: usize| async move {
        let mut producer = bus.producer().await.expect("a producer");
        for batch in 0..20 {
            let first = start + batch * 25;
            let published = within(producer.publish(&numbered(first..first + 25))).await;
            assert_eq!(published.acknowledged, [true; 25]);
        }
    };
    tokio::join!(publishing(one.clone(), 0), publishing(two, 500));
    let mut consumer = one.consumer("g", &["trips"]).await.expect("a consumer");
    let all = take(&mut consumer, 1_000).await;
    assert_eq!(sorted_numbers(&all), (0..1_000).collect::<Vec<_>>());
    let mut next = BTreeMap::new();
    for record in all {
        let expected = next.entry(record.partition).or_insert(0);
        assert_eq!(record.offset, *expected, "a gap in {}", record.partition);
        *expected += 1;
    }
}

pub async fn two_groups_see_everything(rig: &dyn Rig) {
    let bus = rig.bus().await;
    let notices = Outgoing { topic: "notices".to_owned(), ..record("SKU", "30") };
    publish(&*bus, &numbered(0..30)).await;
    publish(&*bus, &[notices]).await;
    for group in ["one", "two"] {
        let mut consumer = bus.consumer(group, &["trips", "notices"]).await.expect("a consumer");
        let all = take(&mut consumer, 31).await;
        assert_eq!(sorted_numbers(&all), (0..31).collect::<Vec<_>>());
        assert_eq!(all.iter().filter(|r| r.topic == "notices").count(), 1);
    }
}

pub async fn namespaces_do_not_see_each_other(rig: &dyn Rig) {
    let (here, there) = (rig.bus().await, rig.connect_as("x-").await);
    there.create_topics(&TOPICS).await.expect("topics");
    publish(&*there, &[record("k", "there")]).await;
    publish(&*here, &[record("k", "here")]).await;
    // A group of the same name is another group in another namespace.
    let mut one = here.consumer("g", &["trips"]).await.expect("a consumer");
    let mut two = there.consumer("g", &["trips"]).await.expect("a consumer");
    assert_eq!(values(&take(&mut one, 1).await), ["here"]);
    let received = take(&mut two, 1).await;
    assert_eq!((values(&received)[0].as_str(), received[0].topic.as_str()), ("there", "trips"));
}

pub async fn a_bus_keeps_the_id_that_it_got_first(rig: &impl Rig) {
    let [one, two, three] = [1, 2, 3].map(uuid::Uuid::from_u128);
    let (first, second) = (rig.connect().await, rig.connect().await);
    let ids = tokio::join!(within(first.identity(one)), within(second.identity(two)));
    let (Ok(Some(given)), Ok(Some(seen))) = ids else { panic!("no id: {ids:?}") };
    assert!(given == seen && [one, two].contains(&given), "{given} and {seen}");
    assert_eq!(rig.connect().await.identity(three).await.expect("an id"), Some(given));
    let other = rig.connect_as("other-").await;
    assert_eq!(other.identity(three).await.expect("an id"), Some(three));
}
