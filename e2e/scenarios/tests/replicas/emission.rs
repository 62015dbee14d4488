//! Compares the order in which events were emitted with the order in which they were first published.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{READER, Visitor, services, topics};
use store::Value;
use tokio::time::timeout;

/// Copies each event that is added to an outbox into a table that is never emptied. The ids are in the order of emission,
/// because a batch takes the outbox row's id while it holds the lock on the order's row.
const RECORD: [&str; 3] = [
    "create table emission (id bigint, place bigint, event_id uuid, topic text, key text)",
    "create function note_emission() returns trigger language plpgsql as $$ begin \
     insert into emission select id, place, event_id, topic, key from outbox_event \
     where id = new.id; return null; end $$",
    "create trigger note_emission after insert on outbox \
     for each row execute function note_emission()",
];

/// The ids of events by topic and key, in order.
type Sequences = BTreeMap<(String, String), Vec<String>>;

/// Lets the databases record the emitted events from now on.
pub(crate) async fn record(visitor: &Visitor) {
    for service in services() {
        let db = visitor.suite().database(service).await;
        for sql in RECORD {
            db.fetch(sql, Vec::new()).await.expect("the trigger is created");
        }
        db.close().await;
    }
}

/// Asserts that every emitted event was published, and that the first publications of each topic and key are in the order of
/// emission. Returns the number of events, and the number of repeated publications.
pub(crate) async fn assert_published_in_order(visitor: &Visitor) -> (usize, usize) {
    let emitted = emitted(visitor).await;
    let (published, repeats) = published(visitor).await;
    assert_eq!(emitted.keys().collect::<Vec<_>>(), published.keys().collect::<Vec<_>>());
    for (topic_and_key, events) in &emitted {
        assert_eq!(&published[topic_and_key], events, "out of order: {topic_and_key:?}");
    }
    (emitted.values().map(Vec::len).sum(), repeats)
}

async fn emitted(visitor: &Visitor) -> Sequences {
    let mut sequences = Sequences::new();
    for service in services() {
        let db = visitor.suite().database(service).await;
        let sql = "select topic, key, event_id::text from emission order by id, place";
        for row in db.fetch(sql, Vec::<Value>::new()).await.expect("the emissions are read") {
            let text = |index| row.get::<String>(index).expect("text");
            sequences.entry((text(0), text(1))).or_default().push(text(2));
        }
        db.close().await;
    }
    sequences
}

/// Reads all topics to their present ends. Returns the first publications, and the number of repeated ones.
async fn published(visitor: &Visitor) -> (Sequences, usize) {
    let bus = visitor.suite().bus().await;
    let states = bus.partitions(READER, &topics()).await.expect("the topics exist");
    let mut unread: BTreeMap<(String, i32), i64> = states
        .into_iter()
        .filter(|state| state.high > state.low)
        .map(|state| ((state.topic, state.partition), state.high))
        .collect();
    let mut consumer = bus.consumer(READER, &topics()).await.expect("a reader joins");
    let (mut sequences, mut seen, mut repeats) = (Sequences::new(), BTreeSet::new(), 0);
    while !unread.is_empty() {
        let received = timeout(scenarios::PATIENCE, consumer.receive(1_000)).await;
        for record in received.expect("records come").expect("the broker answers") {
            let partition = (record.topic.clone(), record.partition);
            if unread.get(&partition).is_some_and(|high| record.offset + 1 >= *high) {
                unread.remove(&partition);
            }
            let id = record.headers.get("ce_id").expect("an id");
            let id = String::from_utf8(id.into()).expect("text");
            let key = String::from_utf8(record.key).expect("text");
            if seen.insert(id.clone()) {
                sequences.entry((record.topic, key)).or_default().push(id);
            } else {
                repeats += 1;
            }
        }
    }
    consumer.close().await.expect("the reader leaves");
    (sequences, repeats)
}
