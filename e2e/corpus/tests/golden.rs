//! Plays the golden records of all versions through today's consumers: each must react as it always did.
//!
//! If a reaction changes on purpose, `QUINTET_GOLDEN=write` writes the new reactions. The records themselves never
//! change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use contracts::{Event, EventType};
use corpus::{Consumer, Golden, Record, golden};
use engine::Participant as _;
use event::{Contract as _, Decoded, EventType as _, Versions, encode};
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use saga::Described;
use serde_json::Value;
use shipping::ShippingService;
use testkit::{Database, databases};

/// The reaction to each record, by version, case and consumer.
type ReactionsByRecord = BTreeMap<String, BTreeMap<String, BTreeMap<&'static str, Value>>>;

fn envelope(record: &Record, name: &str) -> event::Envelope<Event> {
    match record.decode() {
        Ok(Decoded::Event(envelope)) => *envelope,
        other => panic!("{name}: {other:?}"),
    }
}

/// The events that one of the five services consumes. Events that only another service consumes have their golden
/// records with that service.
fn consumed() -> BTreeSet<EventType> {
    let consumed = [
        OrderService::CONSUMES,
        InventoryService::CONSUMES,
        PaymentService::CONSUMES,
        ShippingService::CONSUMES,
        NotificationService::CONSUMES,
    ];
    consumed.concat().into_iter().collect()
}

#[test]
fn every_version_has_its_records_and_each_record_names_its_version() {
    let golden = golden();
    let consumed = consumed();
    for schema in Event::schemas().filter(|schema| consumed.contains(&schema.event_type)) {
        let version = format!("{}/v{}", schema.event_type.folder(), schema.version);
        let cases = golden.iter().filter(|record| record.version() == version);
        let cases: BTreeSet<_> = cases.map(|record| &record.name[version.len() + 1..]).collect();
        for case in ["plain", "spelling", "unknown"] {
            assert!(cases.contains(case), "{version} lacks {case}: {cases:?}");
        }
    }
    let mut ids = BTreeSet::new();
    for Golden { name, record } in &golden {
        let envelope = envelope(record, name);
        let (event_type, version) = (envelope.event.event_type(), envelope.version);
        assert!(name.starts_with(&format!("{}/v{version}/", event_type.folder())), "{name}");
        assert!(!record.remarks.is_empty(), "{name} does not state its purpose");
        assert!(ids.insert(envelope.id), "{name} has the id of another record");
        // A decoded event can be encoded again in the latest version.
        let source = format!("/quintet/{}", event_type.publisher());
        let (id, at, event) = (envelope.id, envelope.at, &envelope.event);
        let again = encode(id, &source, at, &envelope.trace, event, &Versions::default());
        let again = self::envelope(&again.into(), name);
        assert_eq!((&again.event, again.at), (event, at), "{name}");
        event.check().unwrap();
    }
}

#[tokio::test]
async fn every_consumer_reacts_as_it_always_did() {
    let mut first: Option<ReactionsByRecord> = None;
    for database in databases().await {
        let mut reactions = ReactionsByRecord::new();
        play::<OrderService>(&database, &mut reactions).await;
        // Each service has a database of its own.
        play::<InventoryService>(&another_like(&database).await, &mut reactions).await;
        play::<PaymentService>(&another_like(&database).await, &mut reactions).await;
        play::<ShippingService>(&another_like(&database).await, &mut reactions).await;
        play::<NotificationService>(&another_like(&database).await, &mut reactions).await;
        match &first {
            Some(first) => assert_eq!(&reactions, first, "{}", database.kind()),
            None => first = Some(reactions),
        }
    }
    let reactions = first.expect("a database");
    for (version, cases) in &reactions {
        compare(version, &serde_json::to_value(cases).unwrap());
    }
}

/// Another database of the same kind.
async fn another_like(database: &Database) -> Database {
    match database.kind() {
        "SQLite in memory" => Database::in_memory().await,
        "SQLite in a file" => Database::in_a_file(),
        _ => Database::on_postgres().await.expect("the server of the first database"),
    }
}

async fn play<S: Described + Default>(database: &Database, reactions: &mut ReactionsByRecord) {
    let mut consumer = Consumer::<S>::open(database).await;
    for Golden { name, record } in golden() {
        let event: Event = envelope(&record, &name).event;
        if S::CONSUMES.contains(&event.event_type()) {
            let reaction = consumer.hears(&name, &record).await;
            let (version, case) = name.rsplit_once('/').unwrap();
            let cases = reactions.entry(version.to_owned()).or_default();
            cases.entry(case.to_owned()).or_default().insert(S::NAME, reaction);
        }
    }
}

fn compare(version: &str, reactions: &Value) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "golden"].iter().collect();
    let path = path.join(format!("{version}.expected.json"));
    if std::env::var_os("QUINTET_GOLDEN").is_some_and(|what| what == "write") {
        fs::write(&path, format!("{reactions:#}\n")).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_else(|_| panic!("{} cannot be read", path.display()));
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    for (case, consumers) in reactions.as_object().unwrap() {
        for (consumer, reaction) in consumers.as_object().unwrap() {
            let expected = &expected[case][consumer];
            assert_eq!(reaction, expected, "{consumer} at {version}/{case}");
        }
    }
    assert_eq!(reactions, &expected, "{}", short(&path));
}

fn short(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
