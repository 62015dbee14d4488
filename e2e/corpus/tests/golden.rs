//! The golden corpus through today's consumers: each takes every record of every version, and does in
//! answer what it always did.
//!
//! `QUINTET_GOLDEN=write` writes down what they do now, where that was meant to change. The records
//! themselves never change.

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

/// What came of each record: by version, by case, by consumer.
type Outcomes = BTreeMap<String, BTreeMap<String, BTreeMap<&'static str, Value>>>;

fn envelope(record: &Record, name: &str) -> event::Envelope<Event> {
    match record.decode() {
        Ok(Decoded::Event(envelope)) => *envelope,
        other => panic!("{name}: {other:?}"),
    }
}

/// What one of the five services hears. An event that only a service of its own hears is kept with that service.
fn heard() -> BTreeSet<EventType> {
    let heard = [
        OrderService::CONSUMES,
        InventoryService::CONSUMES,
        PaymentService::CONSUMES,
        ShippingService::CONSUMES,
        NotificationService::CONSUMES,
    ];
    heard.concat().into_iter().collect()
}

#[test]
fn every_version_has_its_records_and_each_says_which_it_is_of() {
    let golden = golden();
    let heard = heard();
    for schema in Event::schemas().filter(|schema| heard.contains(&schema.event_type)) {
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
        assert!(!record.remarks.is_empty(), "{name} does not say what it is for");
        assert!(ids.insert(envelope.id), "{name} has another's id");
        // What is read can be said again, in the latest version.
        let source = format!("/quintet/{}", event_type.publisher());
        let (id, at, event) = (envelope.id, envelope.at, &envelope.event);
        let again = encode(id, &source, at, &envelope.trace, event, &Versions::default());
        let again = self::envelope(&again.into(), name);
        assert_eq!((&again.event, again.at), (event, at), "{name}");
        event.check().unwrap();
    }
}

#[tokio::test]
async fn every_consumer_does_in_answer_what_it_always_did() {
    let mut first: Option<Outcomes> = None;
    for database in databases().await {
        let mut outcomes = Outcomes::new();
        play::<OrderService>(&database, &mut outcomes).await;
        // A service has a database of its own.
        play::<InventoryService>(&beside(&database).await, &mut outcomes).await;
        play::<PaymentService>(&beside(&database).await, &mut outcomes).await;
        play::<ShippingService>(&beside(&database).await, &mut outcomes).await;
        play::<NotificationService>(&beside(&database).await, &mut outcomes).await;
        match &first {
            Some(first) => assert_eq!(&outcomes, first, "{}", database.kind()),
            None => first = Some(outcomes),
        }
    }
    let outcomes = first.expect("a database");
    for (version, cases) in &outcomes {
        compare(version, &serde_json::to_value(cases).unwrap());
    }
}

/// Another one of the same kind.
async fn beside(database: &Database) -> Database {
    match database.kind() {
        "SQLite in memory" => Database::in_memory().await,
        "SQLite in a file" => Database::in_a_file(),
        _ => Database::on_postgres().await.expect("it was there a moment ago"),
    }
}

async fn play<S: Described + Default>(database: &Database, outcomes: &mut Outcomes) {
    let mut consumer = Consumer::<S>::open(database).await;
    for Golden { name, record } in golden() {
        let event: Event = envelope(&record, &name).event;
        if S::CONSUMES.contains(&event.event_type()) {
            let did = consumer.hears(&name, &record).await;
            let (version, case) = name.rsplit_once('/').unwrap();
            let cases = outcomes.entry(version.to_owned()).or_default();
            cases.entry(case.to_owned()).or_default().insert(S::NAME, did);
        }
    }
}

fn compare(version: &str, did: &Value) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "golden"].iter().collect();
    let path = path.join(format!("{version}.expected.json"));
    if std::env::var_os("QUINTET_GOLDEN").is_some_and(|what| what == "write") {
        fs::write(&path, format!("{did:#}\n")).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_else(|_| panic!("{} is not there", path.display()));
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    for (case, consumers) in did.as_object().unwrap() {
        for (consumer, did) in consumers.as_object().unwrap() {
            let expected = &expected[case][consumer];
            assert_eq!(did, expected, "{consumer} at {version}/{case}");
        }
    }
    assert_eq!(did, &expected, "{}", short(&path));
}

fn short(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
