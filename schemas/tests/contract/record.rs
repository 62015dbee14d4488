//! A record as the broker hands it over, to be spoiled one piece at a time.

use contracts::{Event, EventType};
use event::{DecodeError, Decoded, Encoded, Envelope, Schema, decode};
use serde_json::Value;

pub const EVENT_ID: &str = "018f3a5c-1b2d-8a10-9c00-a1b2c3d4e5f6";
pub const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Clone)]
pub struct Record {
    pub key: Vec<u8>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub value: Vec<u8>,
}

impl Record {
    /// A record with this data in this version, otherwise in order.
    pub fn new(schema: &Schema<EventType>, data: &Value) -> Self {
        let example: Value = serde_json::from_str(schema.example).unwrap();
        let key = ["order_id", "sku"].iter().find_map(|id| example.get(id));
        let key = key.and_then(Value::as_str).unwrap();
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", EVENT_ID),
            ("ce_type", schema.event_type.as_str()),
            ("ce_source", &format!("/quintet/{}", schema.event_type.publisher())),
            ("ce_time", "2024-05-01T10:00:00.123456Z"),
            ("ce_subject", key),
            ("ce_dataschema", schema.id),
            ("content-type", "application/json"),
            ("traceparent", TRACEPARENT),
            ("tracestate", "vendor=a"),
        ];
        Self {
            key: key.into(),
            headers: headers.map(|(name, text)| (name.into(), text.into())).into(),
            value: serde_json::to_vec(data).unwrap(),
        }
    }

    /// The record of a schema's example.
    pub fn example(schema: &Schema<EventType>) -> Self {
        Self::new(schema, &serde_json::from_str(schema.example).unwrap())
    }

    pub fn without(mut self, header: &str) -> Self {
        self.headers.retain(|(name, _)| name != header);
        self
    }

    pub fn with(self, header: &str, text: impl Into<Vec<u8>>) -> Self {
        let mut record = self.without(header);
        record.headers.push((header.to_owned(), text.into()));
        record
    }

    pub fn decode(&self) -> Result<Decoded<Event>, DecodeError> {
        let headers = self.headers.iter().map(|(name, text)| (name, text));
        decode(&self.key, &headers.collect(), &self.value)
    }

    /// What it says, where that is expected.
    pub fn envelope(&self) -> Envelope<Event> {
        match self.decode().unwrap() {
            Decoded::Event(envelope) => *envelope,
            Decoded::Foreign { event_type } => panic!("{event_type} is ours"),
        }
    }
}

impl From<Encoded> for Record {
    fn from(encoded: Encoded) -> Self {
        let headers = encoded.headers.iter();
        Self {
            key: encoded.key.into(),
            headers: headers.map(|(name, text)| (name.into(), text.into())).collect(),
            value: encoded.value.get().into(),
        }
    }
}
