//! A contract as an AsyncAPI 3.0 document: its topics, its events, and which service sends and receives which.
//!
//! Channels are topics, messages are versions of events, and operations are what one service sends to or receives
//! from one topic.

mod message;
mod payload;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{Contract, EventType, Schema, TopicSpec};

/// The version of AsyncAPI's bindings for Kafka.
const KAFKA_BINDING: &str = "0.5.0";

/// A service of the saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, as the contract names publishers.
    pub name: &'static str,
    /// The names of the types of events that it consumes.
    pub receives: BTreeSet<&'static str>,
}

/// The AsyncAPI 3.0 document of a contract and its services; `version` is that of the saga's program.
///
/// # Panics
/// If a JSON Schema or an example of the contract is not JSON: a contract's tests find that first.
#[must_use]
pub fn document<C: Contract>(version: &str, services: &[Service]) -> Value {
    let mut schemas = Map::new();
    let mut messages = Map::new();
    for schema in C::schemas() {
        let name = message_name(schema);
        let payload = payload::hoisted(schema, &mut schemas);
        schemas.insert(name.clone(), payload);
        messages.insert(name, message::of::<C>(schema));
    }
    let namespace = C::NAMESPACE;
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": format!("Events of the saga {namespace}"),
            "version": version,
            "description": "Every event is a CloudEvent 1.0 in the binary mode of its Kafka binding: the attributes are \
                headers of the record, the data is its value. A consumer receives every event at least once and \
                drops the repeats by `ce_id`. Topics may have a prefix of the installation (the setting \
                `bus.namespace`), and so have consumer groups.",
        },
        "defaultContentType": "application/json",
        "channels": channels::<C>(),
        "operations": operations::<C>(services),
        "components": { "messages": messages, "schemas": schemas },
    })
}

/// Such as `TripBooked.v2`.
fn message_name<T: EventType>(schema: &Schema<T>) -> String {
    format!("{}.v{}", schema.event_type.as_str(), schema.version)
}

fn channels<C: Contract>() -> Map<String, Value> {
    let channel = |topic: &TopicSpec| {
        let messages: Map<String, Value> = schemas_on::<C>(topic)
            .map(message_name)
            .map(|name| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") })))
            .collect();
        let (description, policy) = if topic.compacted {
            ("Kafka keeps the latest record of each key for ever.", "compact")
        } else {
            ("Records of one key are in the order in which they were sent.", "delete")
        };
        let channel = json!({
            "address": topic.name,
            "title": format!("The topic {}", topic.name),
            "description": description,
            "messages": messages,
            "bindings": { "kafka": {
                "topicConfiguration": { "cleanup.policy": [policy] },
                "bindingVersion": KAFKA_BINDING,
            } },
        });
        (topic.name.to_owned(), channel)
    };
    C::topics().iter().map(channel).collect()
}

fn schemas_on<C: Contract>(topic: &TopicSpec) -> impl Iterator<Item = &'static Schema<C::Type>> {
    let name = topic.name;
    C::schemas().filter(move |schema| schema.event_type.topic() == name)
}

fn operations<C: Contract>(services: &[Service]) -> Map<String, Value> {
    let mut operations = Map::new();
    for service in services {
        for topic in C::topics() {
            let on_topic: Vec<_> = schemas_on::<C>(topic).collect();
            let sent = on_topic.iter().filter(|it| it.event_type.publisher() == service.name);
            let received =
                on_topic.iter().filter(|it| service.receives.contains(it.event_type.as_str()));
            let sent = Operation { action: "send", service, topic, messages: names(sent) };
            let received =
                Operation { action: "receive", service, topic, messages: names(received) };
            let operations_made = [sent, received].into_iter().filter(|it| !it.messages.is_empty());
            operations
                .extend(operations_made.map(|operation| (operation.id(), operation.json::<C>())));
        }
    }
    operations
}

fn names<'s, T: EventType>(schemas: impl Iterator<Item = &'s &'static Schema<T>>) -> Vec<String> {
    schemas.map(|schema| message_name(schema)).collect()
}

/// What a service does with a topic.
struct Operation<'d> {
    action: &'static str,
    service: &'d Service,
    topic: &'d TopicSpec,
    messages: Vec<String>,
}

impl Operation<'_> {
    /// Such as `booking.receive.flights`.
    fn id(&self) -> String {
        format!("{}.{}.{}", self.service.name, self.action, self.topic.name)
    }

    fn json<C: Contract>(&self) -> Value {
        let Self { action, service, topic, messages } = self;
        let channel = format!("#/channels/{}", topic.name);
        let reference = |name: &String| json!({ "$ref": format!("{channel}/messages/{name}") });
        let mut operation = json!({
            "action": action,
            "channel": { "$ref": channel },
            "title": format!("{} {action}s events on {}", service.name, topic.name),
            "tags": [{ "name": service.name }],
            "messages": messages.iter().map(reference).collect::<Vec<_>>(),
        });
        if *action == "receive" {
            let group = format!("{}-{}", C::NAMESPACE, service.name);
            operation["bindings"] = json!({ "kafka": {
                "groupId": { "type": "string", "enum": [group] },
                "bindingVersion": KAFKA_BINDING,
            } });
        }
        operation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::GameEvent;

    fn described() -> Value {
        let table = Service { name: "table", receives: BTreeSet::new() };
        let referee = Service { name: "referee", receives: ["Served"].into() };
        document::<GameEvent>("1.2.3", &[table, referee])
    }

    #[test]
    fn each_sender_and_each_receiver_has_an_operation() {
        let document = described();
        let operations = document["operations"].as_object().unwrap();
        let names: Vec<&String> = operations.keys().collect();
        assert_eq!(names, ["referee.receive.games", "table.send.games"]);
        let received = &operations["referee.receive.games"];
        assert_eq!(received["bindings"]["kafka"]["groupId"]["enum"], json!(["arcade-referee"]));
        let message = json!([{ "$ref": "#/channels/games/messages/Served.v1" }]);
        assert_eq!(
            (&received["messages"], &operations["table.send.games"]["messages"]),
            (&message, &message)
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(document: &Value, value: &Value) {
            if let Some(target) = value["$ref"].as_str() {
                let found = document.pointer(target.strip_prefix('#').unwrap());
                assert!(found.is_some(), "{target}");
            }
            let members = value.as_object().into_iter().flat_map(|members| members.values());
            let items = value.as_array().into_iter().flatten();
            members.chain(items).for_each(|inner| check(document, inner));
        }
        let document = described();
        check(&document, &document);
    }

    #[test]
    fn a_message_has_the_headers_that_a_record_has() {
        let document = described();
        let message = &document["components"]["messages"]["Served.v1"];
        let described = message["headers"]["properties"].as_object().unwrap();
        let sent = message["examples"][0]["headers"].as_object().unwrap();
        assert!(sent.keys().all(|name| described.contains_key(name)), "{sent:?}");
        let required = message["headers"]["required"].as_array().unwrap();
        assert!(required.iter().all(|name| sent.contains_key(name.as_str().unwrap())));
        assert_eq!(described["ce_dataschema"]["const"], "urn:arcade:schemas:served:v1");
        assert_eq!(sent["ce_source"], "/arcade/table");
        let key = &message["bindings"]["kafka"]["key"];
        assert_eq!(key["description"], "The property `game_id` of the data.");
    }
}
