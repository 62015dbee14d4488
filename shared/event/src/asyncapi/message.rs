//! A version of an event as a message: its headers, its key and an example.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{KAFKA_BINDING, message_name};
use crate::{
    Contract, EventType, Schema, Subject, Trace, Versions, derived, encode,
    wire::{
        CONTENT_TYPE, DATA_SCHEMA, ID, SOURCE, SPEC_VERSION, SUBJECT, TIME, TRACEPARENT,
        TRACESTATE, TYPE,
    },
};

/// When the events of the examples were said: 2026-01-02T03:04:05.678901Z.
const SAID_AT: i64 = 1_767_323_045_678_901;

/// The message of this version.
pub(super) fn of<C: Contract>(schema: &'static Schema<C::Type>) -> Value {
    let event_type = schema.event_type;
    let data: Value = serde_json::from_str(schema.example).expect("an embedded example is JSON");
    let event = C::decode(event_type, schema.version, data.clone())
        .expect("an example of the contract is an event of it");
    let name = message_name(schema);
    let latest = schema.version == event_type.latest_version();
    let mut message = json!({
        "name": event_type.as_str(),
        "title": format!("{event_type}, version {}", schema.version),
        "summary": description(schema),
        "contentType": "application/json",
        "headers": headers::<C>(schema),
        "payload": { "$ref": format!("#/components/schemas/{name}") },
        "bindings": { "kafka": { "key": key::<C>(&event, &data), "bindingVersion": KAFKA_BINDING } },
        "examples": [{ "headers": example::<C>(schema, &event), "payload": data }],
    });
    if !latest {
        message["description"] =
            format!("Consumers understand it; {event_type} has a later version.").into();
    }
    message
}

/// What the schema says of itself.
fn description<T>(schema: &Schema<T>) -> Value {
    let text: Value = serde_json::from_str(schema.text).expect("an embedded schema is JSON");
    text["description"].clone()
}

fn source<C: Contract>(event_type: C::Type) -> String {
    format!("/{}/{}", C::NAMESPACE, event_type.publisher())
}

/// The attributes of a CloudEvent, and the trace.
fn headers<C: Contract>(schema: &Schema<C::Type>) -> Value {
    let event_type = schema.event_type;
    let text = |description: &str| json!({ "type": "string", "description": description });
    let one = |value: &str, description: &str| json!({ "type": "string", "const": value, "description": description });
    let required = [
        (SPEC_VERSION, one("1.0", "The version of CloudEvents.")),
        (
            ID,
            json!({ "type": "string", "format": "uuid", "description": "The event's id. A repeat has the same id." }),
        ),
        (TYPE, one(event_type.as_str(), "The type of the event.")),
        (SOURCE, one(&source::<C>(event_type), "The service that published the event.")),
        (
            TIME,
            json!({ "type": "string", "format": "date-time", "description": "When the event was published, in UTC, to the microsecond." }),
        ),
        (SUBJECT, text("What the event is about: the same as the record's key.")),
        (
            DATA_SCHEMA,
            one(schema.id, "The JSON Schema of the data. It names the version of the event."),
        ),
        (CONTENT_TYPE, one("application/json", "The media type of the data.")),
    ];
    let traced = [
        (TRACEPARENT, text("The trace that the event belongs to (W3C Trace Context).")),
        (TRACESTATE, text("The trace's state of each vendor (W3C Trace Context).")),
    ];
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    let all = required.into_iter().chain(traced);
    let properties: Map<String, Value> =
        all.map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({ "type": "object", "required": names, "properties": properties })
}

/// The key of the event's record: an aggregate's id, or another property of the data.
fn key<C: Contract>(event: &C, data: &Value) -> Value {
    match event.subject() {
        Subject::Aggregate(_) => json!({
            "type": "string",
            "format": "uuid",
            "description": format!("The property `{}` of the data.", C::KEY_FIELD),
        }),
        Subject::Other(text) => {
            let members = data.as_object().into_iter().flatten();
            let property =
                members.filter(|(_, value)| value.as_str() == Some(&text)).map(|it| it.0).next();
            let description = property.map_or_else(
                || "What the event is about.".to_owned(),
                |name| format!("The property `{name}` of the data."),
            );
            json!({ "type": "string", "description": description })
        }
    }
}

/// The headers of the example, without a trace.
fn example<C: Contract>(schema: &Schema<C::Type>, event: &C) -> Map<String, Value> {
    let event_type = schema.event_type;
    let versions = Versions::default().with(event_type, schema.version);
    let at = Timestamp::from_microsecond(SAID_AT).unwrap_or_default();
    let cause = event.aggregate().map_or_else(uuid::Uuid::nil, Into::into);
    let id = derived(cause, cause, event_type.as_str(), schema.version).into();
    let encoded = encode(id, &source::<C>(event_type), at, &Trace::default(), event, &versions);
    let text = |(name, value): (&str, &[u8])| {
        (name.to_owned(), String::from_utf8_lossy(value).into_owned().into())
    };
    encoded.headers.iter().map(text).collect()
}
