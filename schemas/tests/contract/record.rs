//! Valid records of the contract. The tests damage one part of them at a time.

use contracts::{Event, EventType};
use event::{Contract as _, Decoded, Envelope, Schema};
use quintet_test::golden::Record;
use serde_json::Value;

/// A record with this data in this version, under the key of the version's example.
pub fn record(schema: &Schema<EventType>, data: &Value) -> Record {
    let example = json(schema.example);
    let key = [Event::KEY_FIELD, "sku"].iter().find_map(|id| example.get(id));
    Record::new::<Event>(schema, key.and_then(Value::as_str).unwrap(), data)
}

/// The record of a schema's example.
pub fn example(schema: &Schema<EventType>) -> Record {
    record(schema, &json(schema.example))
}

/// The decoded record, which must be valid.
pub fn envelope(record: &Record) -> Envelope<Event> {
    match record.decode().unwrap() {
        Decoded::Event(envelope) => *envelope,
        Decoded::Foreign { event_type } => panic!("{event_type} belongs to this contract"),
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
