//! In which order events were emitted, and in which they were first published.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{READER, Visitor, services, topics};
use store::Value;
use tokio::time::timeout;

/// Keeps what every outbox ever held, in the order of its ids. Those are the order of emission: an
/// id is taken under the lock of the order's row.
const RECORD: [&str; 3] = [
    "create table emission (id bigint, place bigint, event_id uuid, topic text, key text)",
    "create function note_emission() returns trigger language plpgsql as $$ begin \
     insert into emission select id, place, event_id, topic, key from outbox_event \
     where id = new.id; return null; end $$",
    "create trigger note_emission after insert on outbox \
     for each row execute function note_emission()",
];

/// Events by topic and key, in order.
type Stories = BTreeMap<(String, String), Vec<String>>;

/// From now on the databases keep what is emitted.
pub(crate) async fn record(visitor: &Visitor) {
    for service in services() {
        let db = visitor.suite().database(service).await;
        for sql in RECORD {
            db.fetch(sql, Vec::new()).await.expect("the trigger is made");
        }
        db.close().await;
    }
}

/// Everything that was emitted was published, and for each topic and key in that order, repeats
/// aside. Answers how many events there were, and how many repeats.
pub(crate) async fn first_occurrences_are_in_order(visitor: &Visitor) -> (usize, usize) {
    let emitted = emitted(visitor).await;
    let (published, repeats) = published(visitor).await;
    assert_eq!(emitted.keys().collect::<Vec<_>>(), published.keys().collect::<Vec<_>>());
    for (story, events) in &emitted {
        assert_eq!(&published[story], events, "out of order: {story:?}");
    }
    (emitted.values().map(Vec::len).sum(), repeats)
}

async fn emitted(visitor: &Visitor) -> Stories {
    let mut stories = Stories::new();
    for service in services() {
        let db = visitor.suite().database(service).await;
        let sql = "select topic, key, event_id::text from emission order by id, place";
        for row in db.fetch(sql, Vec::<Value>::new()).await.expect("the emissions are read") {
            let text = |index| row.get::<String>(index).expect("text");
            stories.entry((text(0), text(1))).or_default().push(text(2));
        }
        db.close().await;
    }
    stories
}

/// Reads all topics to their present ends.
async fn published(visitor: &Visitor) -> (Stories, usize) {
    let bus = visitor.suite().bus().await;
    let states = bus.partitions(READER, &topics()).await.expect("the topics are there");
    let mut left: BTreeMap<(String, i32), i64> = states
        .into_iter()
        .filter(|state| state.high > state.low)
        .map(|state| ((state.topic, state.partition), state.high))
        .collect();
    let mut consumer = bus.consumer(READER, &topics()).await.expect("a reader joins");
    let (mut stories, mut seen, mut repeats) = (Stories::new(), BTreeSet::new(), 0);
    while !left.is_empty() {
        let received = timeout(scenarios::PATIENCE, consumer.receive(1_000)).await;
        for record in received.expect("records come").expect("the broker answers") {
            let partition = (record.topic.clone(), record.partition);
            if left.get(&partition).is_some_and(|high| record.offset + 1 >= *high) {
                left.remove(&partition);
            }
            let id = record.headers.get("ce_id").expect("an id");
            let id = String::from_utf8(id.into()).expect("text");
            let key = String::from_utf8(record.key).expect("text");
            if seen.insert(id.clone()) {
                stories.entry((record.topic, key)).or_default().push(id);
            } else {
                repeats += 1;
            }
        }
    }
    consumer.close().await.expect("the reader leaves");
    (stories, repeats)
}
