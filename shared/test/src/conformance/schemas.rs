//! Compares the JSON Schemas of a contract with its Rust types.

use std::{collections::BTreeSet, mem::discriminant, path::Path};

use event::{Contract, EventType, Schema, TypeOf};
use serde_json::{Value, json};

/// Checks that the schemas of a contract, which are in `folder`, and its Rust types accept the same data:
///
/// - Each schema is complete, names itself, describes every property, and allows unknown properties.
/// - Each example follows its schema and is what the type writes, so that both have the same properties.
/// - A property is optional for the type exactly if it is optional in the schema.
/// - Schema and type refuse a property of another JSON type. The type accepts what the schema accepts.
/// - The type knows every value of an `enum` in a schema.
/// - The folder has every version of every event and no other schemas. Each type is found by its name.
///
/// # Panics
/// If one of these does not hold.
pub fn schemas<C: Contract>(folder: &Path) {
    let mut checked = 0;
    for schema in C::schemas() {
        let (text, example) = (json_of(schema.text), json_of(schema.example));
        let case = Case::<C> { schema, properties: properties(&text, &text, ""), example };
        is_complete(schema, &text, &case.properties);
        case.example_follows();
        case.properties_are_the_same();
        case.missing_properties();
        case.wrong_properties();
        case.unknown_properties();
        case.listed_words();
        checked += 1;
    }
    assert!(checked > 0, "the contract {} has no schemas", C::NAMESPACE);
    folder_is_complete::<C>(folder);
}

/// A schema with its example.
struct Case<C: Contract> {
    schema: &'static Schema<TypeOf<C>>,
    properties: Vec<Property>,
    example: Value,
}

/// A property as its schema describes it.
struct Property {
    /// Its JSON Pointer, with `0` for all elements of an array: `/lines/0/name`.
    pointer: String,
    required: bool,
    schema: Value,
}

impl<C: Contract> Case<C> {
    fn decode(&self, data: Value) -> Option<C> {
        self.schema.check(&data).ok()?;
        C::decode(self.schema.event_type, self.schema.version, data).ok()
    }

    /// Decodes data with the type alone, which is that of the latest version, without the schema.
    fn typed(&self, data: Value) -> Option<C> {
        C::from_json(self.schema.event_type, data).ok()
    }

    fn is_latest(&self) -> bool {
        self.schema.version == self.schema.event_type.latest_version()
    }

    fn example_follows(&self) {
        let id = self.schema.id;
        if let Err(violation) = self.schema.check(&self.example) {
            panic!("the example of {id} does not follow its schema: {violation}");
        }
        let event = self.decode(self.example.clone());
        let event = event.unwrap_or_else(|| panic!("the example of {id} does not fit its type"));
        assert_eq!(event.event_type(), self.schema.event_type, "{id}");
        if let Err(violation) = event.check() {
            panic!("the example of {id} does not follow the latest schema: {violation}");
        }
        if self.is_latest() {
            assert_eq!(event.to_json(), self.example, "{id}: left what the type writes");
        }
    }

    /// Compares the properties of the schema with those of the example. Since the example is what the type writes
    /// ([`Self::example_follows`]), this compares the schema with the type.
    fn properties_are_the_same(&self) {
        let in_schema: BTreeSet<String> =
            self.properties.iter().map(|property| property.pointer.clone()).collect();
        let in_example = pointers(&self.example, "");
        assert_eq!(in_schema, in_example, "{}: left the schema, right the example", self.schema.id);
    }

    fn missing_properties(&self) {
        for Property { pointer, required, .. } in &self.properties {
            let at = format!("{} {pointer}", self.schema.id);
            let incomplete = without(self.example.clone(), pointer);
            assert_eq!(self.schema.check(&incomplete).is_err(), *required, "{at}");
            assert_eq!(self.decode(incomplete.clone()).is_none(), *required, "{at}");
            // The type alone requires the same properties as the schema.
            if self.is_latest() {
                assert_eq!(self.typed(incomplete).is_none(), *required, "{at}");
            }
        }
    }

    fn wrong_properties(&self) {
        for Property { pointer, .. } in &self.properties {
            let right = self.example.pointer(pointer).unwrap_or(&Value::Null);
            for wrong in [json!(true), json!(7), json!("x y"), json!([]), json!({}), json!(null)] {
                if discriminant(right) == discriminant(&wrong) {
                    continue;
                }
                let at = format!("{} {pointer} {wrong}", self.schema.id);
                let changed = with(self.example.clone(), pointer, wrong);
                assert!(self.schema.check(&changed).is_err(), "{at}");
                assert!(!self.is_latest() || self.typed(changed).is_none(), "{at}");
            }
            // If the schema accepts an odd value, the type must too: otherwise an event that follows the contract would
            // become a dead letter.
            for odd in [json!(1.5), json!(i64::MAX), json!(u64::MAX), json!("x y"), json!("a\n")] {
                let at = format!("{} {pointer} {odd}", self.schema.id);
                let data = with(self.example.clone(), pointer, odd);
                if self.is_latest() && self.schema.check(&data).is_ok() {
                    assert!(self.typed(data).is_some(), "{at}");
                }
            }
        }
    }

    fn unknown_properties(&self) {
        let mut objects = vec![String::new()];
        objects.extend(pointers(&self.example, ""));
        let mut extended = self.example.clone();
        for at in objects {
            if let Some(object) = extended.pointer_mut(&at).and_then(Value::as_object_mut) {
                object.insert("from_the_future".to_owned(), json!([1]));
            }
        }
        let (known, future) = (self.decode(self.example.clone()), self.decode(extended));
        assert_eq!(known, future, "{} with unknown properties", self.schema.id);
    }

    fn listed_words(&self) {
        for Property { pointer, schema, .. } in &self.properties {
            for word in schema["enum"].as_array().into_iter().flatten() {
                let data = with(self.example.clone(), pointer, word.clone());
                let event = self.decode(data.clone());
                let at = format!("{} {pointer} {word}", self.schema.id);
                let event = event.unwrap_or_else(|| panic!("{at} is not known to the type"));
                assert!(!self.is_latest() || event.to_json() == data, "{at}");
            }
        }
    }
}

fn is_complete<T: EventType>(schema: &Schema<T>, json: &Value, properties: &[Property]) {
    let id = schema.id;
    if let Err(error) = jsonschema::meta::validate(json) {
        panic!("{id} is no JSON Schema: {error}");
    }
    assert_eq!(json["$schema"], "https://json-schema.org/draft/2020-12/schema", "{id}");
    assert_eq!(json["$id"], id, "the schema's `$id`");
    assert_eq!(json["title"], schema.event_type.as_str(), "{id}");
    assert!(json["description"].is_string(), "{id} has no description");
    assert!(!schema.text.contains("additionalProperties"), "{id} refuses unknown properties");
    for Property { pointer, schema, .. } in properties {
        assert!(schema["description"].is_string(), "{id} {pointer} has no description");
    }
}

fn folder_is_complete<C: Contract>(folder: &Path) {
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = folder.read_dir();
        let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        entries.filter_map(name).collect()
    };
    let types = <TypeOf<C> as EventType>::ALL;
    let folders: BTreeSet<&str> = types.iter().map(|event_type| event_type.folder()).collect();
    assert_eq!(folders.len(), types.len(), "two types of events have one folder");
    for event_type in types {
        assert_eq!(event_type.to_string().parse(), Ok(*event_type), "a type and its name");
        let versions = event_type.schemas().iter().map(|schema| schema.version);
        assert!(versions.clone().eq(1..=event_type.latest_version()), "{event_type}: a version");
        let files = versions.flat_map(|v| [format!("v{v}.json"), format!("v{v}.example.json")]);
        let (folder, files) = (folder.join(event_type.folder()), files.collect::<BTreeSet<_>>());
        assert_eq!(names(&folder), files, "{}", folder.display());
    }
    let is_of_schemas = |name: &String| {
        names(&folder.join(name)).iter().any(|file| file.ends_with(".example.json"))
    };
    let is_folder = |name: &String| folder.join(name).is_dir();
    for name in names(folder).iter().filter(|name| is_folder(name) && is_of_schemas(name)) {
        assert!(folders.contains(&**name), "{name} is of no event in the contract's table");
    }
}

/// All properties below `node`. References are followed.
fn properties(root: &Value, node: &Value, at: &str) -> Vec<Property> {
    let node = resolved(root, node);
    if let Some(items) = node.get("items") {
        return properties(root, items, &format!("{at}/0"));
    }
    let required = node["required"].as_array().map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for (name, schema) in node["properties"].as_object().into_iter().flatten() {
        let pointer = format!("{at}/{name}");
        found.extend(properties(root, schema, &pointer));
        let required = required.contains(&json!(name));
        found.push(Property { pointer, required, schema: schema.clone() });
    }
    found
}

fn resolved<'a>(root: &'a Value, node: &'a Value) -> &'a Value {
    let reference = node.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(|to| root.pointer(to.trim_start_matches('#')));
    target.unwrap_or(node)
}

/// The JSON Pointers of all properties of a value. Of an array only the first element is inspected.
fn pointers(value: &Value, at: &str) -> BTreeSet<String> {
    match value {
        Value::Array(elements) => {
            elements.first().map(|first| pointers(first, &format!("{at}/0"))).unwrap_or_default()
        }
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
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    let members = value.pointer_mut(parent).and_then(Value::as_object_mut);
    members.and_then(|members| members.remove(name));
    value
}

fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    if let Some(place) = value.pointer_mut(pointer) {
        *place = new;
    }
    value
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("a schema and its example are JSON")
}
