//! `events.md`, from the contract and its AsyncAPI document.

use std::collections::BTreeSet;

use anyhow::Result;
use contracts::{Event, EventType};
use event::{Contract, EventType as _, Schema as EventSchema};
use serde_json::Value;

use crate::{
    markdown::{code, filled, one_line, sentence, table},
    schema::{Field, HEADS, Schema},
};

pub(crate) fn page(asyncapi: &Value) -> Result<String> {
    let mut index = Vec::new();
    let mut events = String::new();
    for event_type in EventType::ALL {
        let consumers = consumers(asyncapi, event_type.as_str());
        let consumers = consumers.into_iter().collect::<Vec<_>>().join(", ");
        let schemas: Vec<Value> = event_type
            .schemas()
            .iter()
            .map(|schema| serde_json::from_str(schema.text))
            .collect::<serde_json::Result<_>>()?;
        let versions = event_type.schemas().iter().map(|schema| schema.version.to_string());
        let versions = versions.collect::<Vec<_>>().join(", ");
        let name = event_type.as_str();
        index.push(vec![
            format!("[`{name}`](#{})", name.to_lowercase()),
            event_type.publisher().to_owned(),
            code(event_type.topic()),
            versions,
            consumers,
        ]);
        events.push_str(&format!("## {name}\n\n"));
        for (schema, json) in event_type.schemas().iter().zip(&schemas).rev() {
            events.push_str(&version(schema, json, schemas.len() > 1)?);
        }
    }
    let topics = Event::topics().iter().map(|topic| {
        let kept = if topic.compacted {
            "the latest record of each key, for ever"
        } else {
            "every record, as long as the broker is told to keep it"
        };
        vec![code(topic.name), kept.to_owned()]
    });
    let heads = ["event", "published by", "topic", "versions", "consumed by"];
    Ok(filled(
        include_str!("../text/events.md"),
        &[
            ("headers", headers(asyncapi)),
            ("topics", table(&["topic", "the broker keeps"], topics)),
            ("index", table(&heads, index)),
            ("events", events),
        ],
    ))
}

/// The services that receive any version of this event.
fn consumers<'a>(asyncapi: &'a Value, event_type: &str) -> BTreeSet<&'a str> {
    let operations = asyncapi["operations"].as_object().into_iter().flatten();
    let receives = operations.filter(|(_, operation)| {
        let messages = operation["messages"].as_array().into_iter().flatten();
        let mut names = messages.filter_map(|it| it["$ref"].as_str()?.rsplit('/').next());
        operation["action"] == "receive"
            && names.any(|name| name.split('.').next() == Some(event_type))
    });
    receives.filter_map(|(id, _)| id.split('.').next()).collect()
}

fn version(schema: &EventSchema<EventType>, json: &Value, is_one_of: bool) -> Result<String> {
    let mut text = String::new();
    if is_one_of {
        text.push_str(&format!("### {} version {}\n\n", schema.event_type, schema.version));
    }
    let description = json["description"].as_str().unwrap_or_default();
    let fields = Schema::new(json, json).fields();
    let example: Value = serde_json::from_str(schema.example)?;
    text.push_str(&format!(
        "{}\n\n`ce_dataschema`: `{}`\n\n{}\n```json\n{example:#}\n```\n\n",
        sentence(&one_line(description)),
        schema.id,
        table(&HEADS, fields.iter().map(Field::row)),
    ));
    Ok(text)
}

/// The headers that every event has; what differs from one to the next is left open.
fn headers(asyncapi: &Value) -> String {
    let mut messages = asyncapi["components"]["messages"].as_object().into_iter().flatten();
    let Some((_, first)) = messages.next() else { return String::new() };
    let others: Vec<&Value> = messages.map(|(_, message)| &message["headers"]).collect();
    let fields = Schema::new(asyncapi, &first["headers"]).fields();
    let rows = fields.into_iter().map(|field| {
        let is_same = |other: &&Value| {
            other["properties"][&field.path] == first["headers"]["properties"][&field.path]
        };
        let kind = if others.iter().all(is_same) { field.kind.clone() } else { "text".to_owned() };
        Field { kind, ..field }.row()
    });
    table(&["header", "type", "always there", "meaning"], rows)
}
