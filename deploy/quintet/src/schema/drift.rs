//! Checks that schemas, examples and Rust types agree.

use super::Violation;
use super::contract;
use super::old_data::Upcast;
use super::tree::{Tree, Version, is_of_crate, version};
use contracts::Event;
use event::Contract as _;
use event::EventType as _;
use serde_json::Value;

/// Keywords by which a schema refuses properties that a later publisher may add.
const CLOSING: &[&str] = &["additionalProperties", "unevaluatedProperties", "propertyNames"];
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Checks the folder itself, and compares it with the contract that this program was built with.
pub(super) fn check(tree: &Tree, upcast: &Upcast) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files.keys().filter(|file| version(file).is_none()) {
        if !is_of_crate(file) {
            let fix = "move it elsewhere: only EVENT/vN.json and EVENT/vN.example.json lie here";
            violations.push(violation(
                file,
                "stray-file",
                "belongs to no version of an event",
                fix,
            ));
        }
    }
    for version in tree.schemas() {
        // Only the first violation of a version is reported, because the others mostly follow from it.
        let first = check_layout(tree, version)
            .or_else(|| check_text(tree, version))
            .or_else(|| check_built_in(tree, version))
            .or_else(|| check_example(tree, version, upcast));
        violations.extend(first);
    }
    let files = tree.files.keys().filter_map(|file| version(file));
    for (version, _) in files
        .filter(|(version, is_example)| *is_example && !tree.files.contains_key(&version.schema()))
    {
        let fix = "write the schema, or remove the example";
        let problem = "is an example of a version that has no schema";
        violations.push(violation(&version.example(), "schema-missing", problem, fix));
    }
    for schema in Event::schemas() {
        let version = Version { folder: schema.event_type.folder(), number: schema.version };
        if !tree.files.contains_key(&version.schema()) {
            let fix = "restore it: events of this version may still be read";
            violations.push(violation(&version.schema(), "schema-missing", "is missing", fix));
        }
    }
    violations
}

fn violation(file: &str, rule: &'static str, problem: &str, fix: &str) -> Violation {
    let (file, problem, fix) = (file.to_owned(), problem.to_owned(), fix.to_owned());
    Violation { file, rule, problem, fix }
}

/// Versions are numbered from 1 without gaps, and each has an example.
fn check_layout(tree: &Tree, version: Version<'_>) -> Option<Violation> {
    let file = version.schema();
    let before = Version { number: version.number.saturating_sub(1), ..version };
    if version.number != 1 && !tree.files.contains_key(&before.schema()) {
        let problem = format!("there is no v{}", before.number);
        let fix = "number versions from 1 without gaps";
        return Some(violation(&file, "version-gap", &problem, fix));
    }
    if !tree.files.contains_key(&version.example()) {
        let fix = format!("write {}: data as a publisher writes it", version.example());
        return Some(violation(&file, "example-missing", "has no example beside it", &fix));
    }
    None
}

/// A schema is a valid JSON Schema with the right `$id`, and it is open to further properties.
fn check_text(tree: &Tree, version: Version<'_>) -> Option<Violation> {
    let file = version.schema();
    let Some(schema) = tree.json(&file) else {
        return Some(violation(&file, "no-schema", "is not JSON", "correct the text"));
    };
    if let Err(error) = jsonschema::meta::validate(&schema) {
        let problem = format!("is no JSON Schema: `{}` {error}", error.instance_path());
        return Some(violation(&file, "no-schema", &problem, "correct the text"));
    }
    let id = version.id();
    for (name, expected) in [("$schema", DIALECT), ("$id", id.as_str())] {
        if schema[name] != expected {
            let problem = format!("its {name} is {}", schema[name]);
            return Some(violation(&file, "identity", &problem, &format!("write \"{expected}\"")));
        }
    }
    let closing = find_keyword(&schema, CLOSING)?;
    let problem = format!("`{closing}` refuses properties that a later publisher may add");
    let fix = "leave it out: consumers ignore properties that they do not know";
    Some(violation(&file, "closed", &problem, fix))
}

fn find_keyword<'a>(node: &'a Value, names: &[&'a str]) -> Option<&'a str> {
    match node {
        Value::Object(members) => {
            let here = names.iter().find(|name| members.contains_key(**name)).copied();
            here.or_else(|| members.values().find_map(|member| find_keyword(member, names)))
        }
        Value::Array(elements) => elements.iter().find_map(|element| find_keyword(element, names)),
        _ => None,
    }
}

/// A version is listed among the events, and this program was built with exactly its text.
fn check_built_in(tree: &Tree, version: Version<'_>) -> Option<Violation> {
    let file = version.schema();
    let Some(built_in) = contract::schema(version) else {
        let fix = format!(
            "list the version in schemas/src/events.rs{}",
            if version.number > 1 { ", with an upcaster in upcast.rs" } else { "" }
        );
        return Some(violation(&file, "not-listed", "no Rust type reads it", &fix));
    };
    let texts = [(file, built_in.text), (version.example(), built_in.example)];
    for (file, text) in texts {
        if tree.files.get(&file).is_some_and(|here| here != text) {
            let problem = "is not the text that this quintet was built with";
            let fix = "build quintet from this checkout";
            return Some(violation(&file, "other-build", problem, fix));
        }
    }
    let title = tree.json(&version.schema())?["title"].clone();
    let expected = built_in.event_type.as_str();
    (title != expected).then(|| {
        let problem = format!("its title is {title}");
        violation(&version.schema(), "identity", &problem, &format!("write \"{expected}\""))
    })
}

/// An example follows its schema. The Rust type writes the example of the latest version exactly as it is.
fn check_example(tree: &Tree, version: Version<'_>, upcast: &Upcast) -> Option<Violation> {
    let file = version.example();
    let Some(example) = tree.json(&file) else {
        return Some(violation(&file, "example", "is not JSON", "correct the text"));
    };
    let validator = jsonschema::validator_for(&tree.json(&version.schema())?).ok()?;
    if let Err(error) = validator.validate(&example) {
        let problem = format!("violates its schema: `{}` {error}", error.instance_path());
        return Some(violation(&file, "example", &problem, "let it follow the schema"));
    }
    let built_in = contract::schema(version)?;
    if built_in.version != built_in.event_type.latest_version() {
        return None;
    }
    // An example that the type refuses is reported by `old_data`.
    let written = upcast(version, &example).ok()?;
    (written != example).then(|| {
        let problem = format!("the Rust type reads it and writes {written}");
        let fix = "let type (schemas/src/events.rs), schema and example name the same \
                   properties";
        violation(&file, "types-drift", &problem, fix)
    })
}
