//! The schemas say what the Rust types say, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use crate::record::Record;
use contracts::{CancelReason, Event, EventType, Milestone};
use event::{Contract as _, EventType as _, Schema};
use serde_json::{Value, json};
use strum::VariantArray;

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A property as its schema describes it.
struct Property {
    /// Where, with `0` for any element of an array: `/items/0/sku`.
    pointer: String,
    required: bool,
    schema: Value,
}

/// All properties below `node`, with references followed.
fn properties(root: &Value, node: &Value, at: &str) -> Vec<Property> {
    let node = resolved(root, node);
    if let Some(items) = node.get("items") {
        return properties(root, items, &format!("{at}/0"));
    }
    let Some(members) = node.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let required = node["required"].as_array().unwrap();
    let mut found = Vec::new();
    for (name, schema) in members {
        let pointer = format!("{at}/{name}");
        found.extend(properties(root, schema, &pointer));
        found.push(Property {
            pointer,
            required: required.contains(&json!(name)),
            schema: schema.clone(),
        });
    }
    found
}

fn resolved<'a>(root: &'a Value, node: &'a Value) -> &'a Value {
    match node.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => node,
    }
}

fn properties_of(schema: &Schema<EventType>) -> Vec<Property> {
    let root = json_of(schema.text);
    properties(&root, &root, "")
}

/// The pointers of all properties of a value, looking into the first element of arrays.
fn pointers(value: &Value, at: &str) -> BTreeSet<String> {
    match value {
        Value::Array(elements) => pointers(&elements[0], &format!("{at}/0")),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let pointer = format!("{at}/{name}");
                let mut below = pointers(value, &pointer);
                below.insert(pointer);
                below
            })
            .collect(),
        _ => BTreeSet::new(),
    }
}

fn without(mut value: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let members = value.pointer_mut(parent).and_then(Value::as_object_mut);
    members.unwrap().remove(name).unwrap();
    value
}

fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    *value.pointer_mut(pointer).unwrap() = new;
    value
}

fn is_latest(schema: &Schema<EventType>) -> bool {
    schema.version == schema.event_type.latest_version()
}

#[test]
fn every_example_follows_its_schema_and_the_type() {
    for schema in Event::schemas() {
        let example = json_of(schema.example);
        schema.check(&example).unwrap();
        let envelope = Record::example(schema).envelope();
        envelope.event.check().unwrap();
        assert_eq!(envelope.event.event_type(), schema.event_type);
        if is_latest(schema) {
            assert_eq!(envelope.event.to_json(), example, "{}", schema.id);
        }
    }
}

/// Together with the test above, this compares the schema with the type: the example is what the
/// type writes.
#[test]
fn the_properties_of_schema_and_example_are_the_same() {
    for schema in Event::schemas() {
        let in_schema = properties_of(schema).into_iter().map(|p| p.pointer);
        let in_example = pointers(&json_of(schema.example), "");
        assert_eq!(in_schema.collect::<BTreeSet<_>>(), in_example, "{}", schema.id);
    }
}

#[test]
fn a_property_may_be_missing_only_where_the_schema_says_so() {
    for schema in Event::schemas() {
        for property in properties_of(schema) {
            let spoiled = without(json_of(schema.example), &property.pointer);
            let at = format!("{} {}", schema.id, property.pointer);
            assert_eq!(schema.check(&spoiled).is_err(), property.required, "{at}");
            let decoded = Record::new(schema, &spoiled).decode();
            assert_eq!(decoded.is_err(), property.required, "{at}");
            // Without the schema in front: the type alone demands the same.
            if is_latest(schema) {
                let typed = Event::from_json(schema.event_type, spoiled);
                assert_eq!(typed.is_err(), property.required, "{at}");
            }
        }
    }
}

#[test]
fn a_property_of_another_type_is_refused_by_schema_and_type() {
    for schema in Event::schemas() {
        for property in properties_of(schema) {
            let example = json_of(schema.example);
            let right = example.pointer(&property.pointer).unwrap();
            for wrong in [json!(true), json!(7), json!("x y"), json!([]), json!({}), json!(null)] {
                if std::mem::discriminant(right) == std::mem::discriminant(&wrong) {
                    continue;
                }
                let at = format!("{} {} {wrong}", schema.id, property.pointer);
                let spoiled = with(example.clone(), &property.pointer, wrong);
                assert!(schema.check(&spoiled).is_err(), "{at}");
                if is_latest(schema) {
                    assert!(Event::from_json(schema.event_type, spoiled).is_err(), "{at}");
                }
            }
        }
    }
}

/// Or data that follows the contract would be set aside.
#[test]
fn what_a_schema_accepts_the_type_accepts() {
    for schema in Event::schemas().filter(|schema| is_latest(schema)) {
        for property in properties_of(schema) {
            for odd in [json!(1.5), json!(i64::MAX), json!(u64::MAX), json!("x y"), json!("a\n")] {
                let at = format!("{} {} {odd}", schema.id, property.pointer);
                let data = with(json_of(schema.example), &property.pointer, odd);
                if schema.check(&data).is_ok() {
                    Event::from_json(schema.event_type, data).expect(&at);
                }
            }
        }
    }
}

#[test]
fn unknown_properties_are_left_alone_everywhere() {
    for schema in Event::schemas() {
        let mut objects = vec![String::new()];
        let example = json_of(schema.example);
        objects.extend(pointers(&example, ""));
        objects.retain(|at| example.pointer(at).is_some_and(Value::is_object));
        let mut extended = example;
        for at in objects {
            extended.pointer_mut(&at).unwrap()["from_the_future"] = json!([1]);
        }
        let event = Record::new(schema, &extended).envelope().event;
        assert_eq!(event, Record::example(schema).envelope().event);
    }
}

#[test]
fn every_word_that_a_schema_lists_is_known_to_the_type() {
    let mut lists = 0;
    for schema in Event::schemas() {
        for property in properties_of(schema) {
            for word in property.schema["enum"].as_array().into_iter().flatten() {
                let data = with(json_of(schema.example), &property.pointer, word.clone());
                let event = Record::new(schema, &data).envelope().event;
                assert_eq!(event.to_json(), data);
            }
            lists += usize::from(property.schema.get("enum").is_some());
        }
    }
    assert_eq!(lists, 4);
}

#[test]
fn every_word_of_a_type_is_listed_in_its_schema() {
    let listed = |event_type: EventType, property: &str| -> Vec<String> {
        let schema = json_of(event_type.schema(1).unwrap().text);
        serde_json::from_value(schema["properties"][property]["enum"].clone()).unwrap()
    };
    let reasons: Vec<_> = CancelReason::VARIANTS.iter().map(ToString::to_string).collect();
    assert_eq!(listed(EventType::OrderCancelled, "reason"), reasons);
    let milestones: Vec<_> = Milestone::VARIANTS.iter().map(ToString::to_string).collect();
    assert_eq!(listed(EventType::NotificationSent, "milestone"), milestones);
    assert_eq!(listed(EventType::NotificationFailed, "milestone"), milestones);
}

#[test]
fn every_schema_is_complete_and_names_itself() {
    for schema in Event::schemas() {
        let json = json_of(schema.text);
        jsonschema::meta::validate(&json).unwrap();
        assert_eq!(json["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(json["$id"], schema.id);
        assert_eq!(json["title"], schema.event_type.as_str());
        assert!(json["description"].is_string(), "{}", schema.id);
        assert!(!schema.text.contains("additionalProperties"), "{}", schema.id);
        for Property { pointer, schema: property, .. } in properties_of(schema) {
            assert!(property["description"].is_string(), "{} {pointer}", schema.id);
        }
    }
}

#[test]
fn the_folder_holds_every_version_of_every_event_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = folder.read_dir().unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let mut expected: BTreeSet<_> = EventType::ALL.iter().map(|e| e.folder().to_owned()).collect();
    assert_eq!(expected.len(), EventType::ALL.len());
    expected.insert("README.md".to_owned());
    assert_eq!(names(&root), expected);

    for event_type in EventType::ALL {
        let versions = 1..=event_type.latest_version();
        let files = versions.flat_map(|v| [format!("v{v}.json"), format!("v{v}.example.json")]);
        assert_eq!(names(&root.join(event_type.folder())), files.collect());
    }
}

#[test]
fn a_type_is_found_by_its_name_alone() {
    for event_type in EventType::ALL {
        assert_eq!(event_type.to_string().parse(), Ok(*event_type));
    }
    let error = "orderplaced".parse::<EventType>().unwrap_err();
    assert_eq!(error.to_string(), "`orderplaced` is no event type of this contract");
}
