//! Schemas, examples and Rust types say the same.

use super::Violation;
use super::contract;
use super::old_data::Upcast;
use super::tree::{Tree, Version, is_of_crate, version};
use contracts::Event;
use event::Contract as _;
use event::EventType as _;
use serde_json::Value;

/// Keywords that close a schema to what comes later.
const CLOSING: &[&str] = &["additionalProperties", "unevaluatedProperties", "propertyNames"];
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What does not agree in the folder itself, and with what this program was built with.
pub(super) fn check(tree: &Tree, upcast: &Upcast) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files.keys().filter(|file| version(file).is_none()) {
        if !is_of_crate(file) {
            let fix = "move it elsewhere: only EVENT/vN.json and EVENT/vN.example.json lie here";
            violations.push(of(file, "stray-file", "belongs to no version of an event", fix));
        }
    }
    for version in tree.schemas() {
        // One of a version: what comes after the first mostly follows from it.
        let first = layout(tree, version)
            .or_else(|| text(tree, version))
            .or_else(|| built_in(tree, version))
            .or_else(|| example(tree, version, upcast));
        violations.extend(first);
    }
    let files = tree.files.keys().filter_map(|file| version(file));
    for (version, _) in files
        .filter(|(version, is_example)| *is_example && !tree.files.contains_key(&version.schema()))
    {
        let fix = "write the schema, or remove the example";
        violations.push(of(&version.example(), "schema-missing", "is an example of nothing", fix));
    }
    for schema in Event::schemas() {
        let version = Version { folder: schema.event_type.folder(), number: schema.version };
        if !tree.files.contains_key(&version.schema()) {
            let fix = "bring it back; events of this version may still be read";
            violations.push(of(&version.schema(), "schema-missing", "is not there", fix));
        }
    }
    violations
}

fn of(file: &str, rule: &'static str, problem: &str, fix: &str) -> Violation {
    let (file, problem, fix) = (file.to_owned(), problem.to_owned(), fix.to_owned());
    Violation { file, rule, problem, fix }
}

/// Versions count on from 1, and each has its example.
fn layout(tree: &Tree, version: Version<'_>) -> Option<Violation> {
    let file = version.schema();
    let before = Version { number: version.number.saturating_sub(1), ..version };
    if version.number != 1 && !tree.files.contains_key(&before.schema()) {
        let problem = format!("there is no v{}", before.number);
        return Some(of(&file, "version-gap", &problem, "number versions from 1 without gaps"));
    }
    if !tree.files.contains_key(&version.example()) {
        let fix = format!("write {}: data as a publisher says it", version.example());
        return Some(of(&file, "example-missing", "has no example beside it", &fix));
    }
    None
}

/// It is an open JSON Schema that names itself.
fn text(tree: &Tree, version: Version<'_>) -> Option<Violation> {
    let file = version.schema();
    let Some(schema) = tree.json(&file) else {
        return Some(of(&file, "no-schema", "is not JSON", "mend the text"));
    };
    if let Err(error) = jsonschema::meta::validate(&schema) {
        let problem = format!("is no JSON Schema: `{}` {error}", error.instance_path());
        return Some(of(&file, "no-schema", &problem, "mend the text"));
    }
    let id = version.id();
    for (name, expected) in [("$schema", DIALECT), ("$id", id.as_str())] {
        if schema[name] != expected {
            let problem = format!("its {name} is {}", schema[name]);
            return Some(of(&file, "identity", &problem, &format!("write \"{expected}\"")));
        }
    }
    let closing = find(&schema, CLOSING)?;
    let fix =
        "leave it out: consumers ignore what they do not know, so that a publisher may add it";
    Some(of(&file, "closed", &format!("`{closing}` refuses what comes later"), fix))
}

fn find<'a>(node: &'a Value, names: &[&'a str]) -> Option<&'a str> {
    match node {
        Value::Object(members) => {
            let here = names.iter().find(|name| members.contains_key(**name)).copied();
            here.or_else(|| members.values().find_map(|member| find(member, names)))
        }
        Value::Array(elements) => elements.iter().find_map(|element| find(element, names)),
        _ => None,
    }
}

/// It is listed among the events, and this program was built with this very text.
fn built_in(tree: &Tree, version: Version<'_>) -> Option<Violation> {
    let file = version.schema();
    let Some(built_in) = contract::schema(version) else {
        let fix = format!(
            "list the version in schemas/src/events.rs{}",
            if version.number > 1 { ", with an upcaster in upcast.rs" } else { "" }
        );
        return Some(of(&file, "not-listed", "no Rust type reads it", &fix));
    };
    let texts = [(file, built_in.text), (version.example(), built_in.example)];
    for (file, text) in texts {
        if tree.files.get(&file).is_some_and(|here| here != text) {
            let problem = "is not the text that this quintet was built with";
            return Some(of(&file, "other-build", problem, "build quintet from this checkout"));
        }
    }
    let title = tree.json(&version.schema())?["title"].clone();
    let expected = built_in.event_type.as_str();
    (title != expected).then(|| {
        let problem = format!("its title is {title}");
        of(&version.schema(), "identity", &problem, &format!("write \"{expected}\""))
    })
}

/// The example follows its schema; that of the latest version is what the Rust type writes.
fn example(tree: &Tree, version: Version<'_>, upcast: &Upcast) -> Option<Violation> {
    let file = version.example();
    let Some(example) = tree.json(&file) else {
        return Some(of(&file, "example", "is not JSON", "mend the text"));
    };
    let validator = jsonschema::validator_for(&tree.json(&version.schema())?).ok()?;
    if let Err(error) = validator.validate(&example) {
        let problem = format!("violates its schema: `{}` {error}", error.instance_path());
        return Some(of(&file, "example", &problem, "let it follow the schema"));
    }
    let built_in = contract::schema(version)?;
    if built_in.version != built_in.event_type.latest_version() {
        return None;
    }
    // What the type refuses is told with the data of that version.
    let written = upcast(version, &example).ok()?;
    (written != example).then(|| {
        let problem = format!("the Rust type reads it and writes {written}");
        let fix = "let type (schemas/src/events.rs), schema and example name the same \
                   properties";
        of(&file, "types-drift", &problem, fix)
    })
}
