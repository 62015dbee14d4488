//! Fuzzes the decoder, and the consumers of the five services behind it.

use std::{fs, path::Path};

use contracts::{Event, EventType};
use corpus::{Record, golden};
use engine::{Participant, chunk};
use event::{
    Contract as _, DecodeError, Decoded, Envelope, EventType as _, Schema, Trace, Versions, encode,
};
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::Union;
use serde_json::Value;
use shipping::ShippingService;

use crate::damage::{Damage, damage};

/// The longest error, because an error must fit into one line of a log.
const LONGEST_ERROR: usize = 500;

/// A valid record with data of this version.
fn record(schema: &Schema<EventType>, data: &Value) -> Record {
    let key = data.get("order_id").or_else(|| data.get("sku")).and_then(Value::as_str).unwrap();
    Record::new::<Event>(schema, key, data)
}

/// Any record that follows the contract.
fn valid() -> impl Strategy<Value = Record> {
    Union::new(Event::schemas().map(|schema| {
        let json = serde_json::from_str(schema.text).unwrap();
        samples::following(&json).unwrap().prop_map(|data| record(schema, &data))
    }))
}

/// A released record, a stored malformed one or a valid one, then damaged.
fn damaged() -> impl Strategy<Value = Record> {
    let golden = golden().into_iter().map(|golden| golden.record);
    let known: Vec<_> = golden.chain(seeds().into_iter().map(|(_, record)| record)).collect();
    let record = prop_oneof![select(known), valid()];
    (record, vec(damage(), 1..4)).prop_map(|(mut record, damages): (Record, Vec<Damage>)| {
        for damage in &damages {
            damage.apply(&mut record);
        }
        record
    })
}

/// The records of `fuzz/records`, by name.
fn seeds() -> Vec<(String, Record)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/records");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut seeds: Vec<_> = entries
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, Record::parse(&fs::read(&path).unwrap()))
        })
        .collect();
    seeds.sort_by(|(a, _), (b, _)| a.cmp(b));
    seeds
}

/// Checks what must hold for any record that is decoded or refused.
fn check(record: &Record) -> Result<(), TestCaseError> {
    match record.decode::<Event>() {
        Ok(Decoded::Event(envelope)) => encodes_again(&envelope),
        Ok(Decoded::Foreign { event_type }) => {
            prop_assert!(event_type.parse::<EventType>().is_err());
            Ok(())
        }
        Err(error) => names_what_is_wrong(&error, record),
    }
}

/// A decoded event follows the latest schema, and is encoded to an equal event in every version.
fn encodes_again(envelope: &Envelope<Event>) -> Result<(), TestCaseError> {
    let Envelope { id, at, trace, event, source, .. } = envelope;
    event.check().map_err(|error| TestCaseError::fail(error.to_string()))?;
    let (parent, state) = (trace.traceparent.as_deref(), trace.tracestate.as_deref());
    prop_assert_eq!(&Trace::parse(parent, state), trace);
    for order_placed in [1, 2] {
        let versions = Versions::default().with(EventType::OrderPlaced, order_placed);
        let again = Record::from(encode(*id, source, *at, trace, event, &versions));
        let Ok(Decoded::Event(again)) = again.decode::<Event>() else {
            return Err(TestCaseError::fail(format!("{event:?} cannot be decoded again")));
        };
        prop_assert_eq!(&again.event, event);
        prop_assert_eq!((again.id, again.at, &again.trace), (*id, *at, trace));
    }
    Ok(())
}

fn names_what_is_wrong(error: &DecodeError, record: &Record) -> Result<(), TestCaseError> {
    let text = error.to_string();
    prop_assert!(text.chars().count() <= LONGEST_ERROR, "{text}");
    prop_assert!(!text.contains(char::is_control), "{text:?}");
    let has = |name: &str| record.headers.iter().any(|(header, _)| header == name);
    match error {
        DecodeError::MissingHeader { name } => prop_assert!(!has(name) && text.contains(name)),
        DecodeError::InvalidHeader { name, reason } => {
            prop_assert!(has(name) && text.contains(name) && !reason.is_empty(), "{text}");
        }
        DecodeError::UnknownVersion { event_type, version, latest } => {
            let event_type: EventType = event_type.parse().unwrap();
            prop_assert_eq!(*latest, event_type.latest_version());
            prop_assert!(event_type.schema(*version).is_none());
            prop_assert!(text.contains(&format!("{event_type} v{version}")), "{text}");
        }
        DecodeError::NotJson(_) => {
            prop_assert!(serde_json::from_slice::<Value>(&record.value).is_err());
        }
        DecodeError::Schema(violation) => {
            let data: Value = serde_json::from_slice(&record.value).unwrap();
            prop_assert!(data.pointer(&violation.pointer).is_some(), "{text}");
            prop_assert!(!violation.message.is_empty());
        }
        DecodeError::Unfit { event_type, .. } => prop_assert!(text.contains(event_type)),
        DecodeError::Mismatch { what, expected, found } => {
            prop_assert!(text.contains(what) && expected != found, "{text}");
        }
    }
    Ok(())
}

#[test]
fn every_stored_record_is_decoded_or_refused_as_expected() {
    for (name, record) in seeds() {
        let expected = record.header("expects").unwrap_or_else(|| panic!("{name} expects nothing"));
        let found = match record.decode::<Event>() {
            Ok(Decoded::Event(envelope)) => format!("an event, {}", envelope.event.event_type()),
            Ok(Decoded::Foreign { event_type }) => format!("foreign, {event_type}"),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{name}: {found}");
        check(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A consumer applies each record, passes over it, or makes it a dead letter with a reason.
fn takes<P: Participant>(records: &[Record], topic: &str) -> Result<(), TestCaseError> {
    let incoming = records.iter().zip(0..).map(|(record, offset)| record.incoming(topic, offset));
    let chunk = chunk::<P>(incoming.collect());
    let seen = chunk.works.len() + chunk.passed.len() + chunk.unreadable.len();
    prop_assert_eq!(seen, records.len());
    for unreadable in chunk.unreadable {
        prop_assert!(!unreadable.reason.to_string().is_empty());
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_record_that_follows_its_schema_is_decoded_and_can_be_encoded_again(record in valid()) {
        let Ok(Decoded::Event(envelope)) = record.decode::<Event>() else {
            return Err(TestCaseError::fail(format!("{:?}", record.decode::<Event>())));
        };
        encodes_again(&envelope)?;
    }

    #[test]
    fn a_damaged_record_is_accepted_or_refused_with_a_precise_error(record in damaged()) {
        check(&record)?;
    }

    #[test]
    fn no_consumer_panics(records in vec(damaged(), 1..6), topic in any::<Index>()) {
        let topic = EventType::ALL[topic.index(EventType::ALL.len())].topic();
        takes::<OrderService>(&records, topic)?;
        takes::<InventoryService>(&records, topic)?;
        takes::<PaymentService>(&records, topic)?;
        takes::<ShippingService>(&records, topic)?;
        takes::<NotificationService>(&records, topic)?;
    }
}
