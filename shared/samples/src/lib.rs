//! Draws random data that follows a JSON Schema, for tests of programs that read such data. When a test fails,
//! proptest shrinks the data.

use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

/// Keywords that do not restrict the data.
const ANNOTATIONS: &[&str] =
    &["$schema", "$id", "$defs", "title", "description", "format", "examples", "default"];
/// The length of the longest text that is drawn if the schema sets no limit.
const LONGEST_TEXT: u64 = 300;
/// How many elements more than the least an array has at most, if the schema sets no limit.
const EXTRA_ELEMENTS: u64 = 5;

/// A part of a schema for which no data can be drawn yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}`: no data can be drawn for {what}; add it to shared/samples")]
pub struct Unsupported {
    /// The place in the schema, as a JSON pointer.
    pub pointer: String,
    /// The unsupported part, such as `the keyword uniqueItems`.
    pub what: String,
}

type DataStrategy = Result<BoxedStrategy<Value>, Unsupported>;

/// Draws any data that follows this schema. Limits are drawn often, optional properties may be missing, and
/// there may be properties that the schema does not know.
///
/// # Errors
/// If the schema uses a keyword for which no data can be drawn.
pub fn following(schema: &Value) -> DataStrategy {
    Root(schema).node(schema, "")
}

/// The whole schema, to look up references.
struct Root<'a>(&'a Value);

impl Root<'_> {
    fn node(&self, node: &Value, at: &str) -> DataStrategy {
        if let Some(reference) = node["$ref"].as_str() {
            let pointer = reference.trim_start_matches('#');
            let target = self.0.pointer(pointer);
            return self.node(target.ok_or_else(|| unsupported(at, reference))?, pointer);
        }
        if let Some(values) = node["enum"].as_array() {
            require_known(node, at, &["type", "enum"])?;
            return Ok(select(values.clone()).boxed());
        }
        match node["type"].as_str() {
            Some("object") => self.object(node, at),
            Some("array") => self.array(node, at),
            Some("string") => text(node, at),
            Some("integer") => integer(node, at),
            Some("boolean") => {
                require_known(node, at, &["type"])?;
                Ok(any::<bool>().prop_map(Value::from).boxed())
            }
            _ => Err(unsupported(at, &format!("the type {}", node["type"]))),
        }
    }

    fn object(&self, node: &Value, at: &str) -> DataStrategy {
        require_known(node, at, &["type", "properties", "required"])?;
        let required = node["required"].as_array().map_or(&[][..], Vec::as_slice);
        let mut object = Just(Map::new()).boxed();
        for (name, property) in node["properties"].as_object().into_iter().flatten() {
            let value = self.node(property, &format!("{at}/properties/{name}"))?;
            let value = if required.contains(&json!(name)) {
                value.prop_map(Some).boxed()
            } else {
                proptest::option::of(value).boxed()
            };
            let name = name.clone();
            let with = move |(mut object, value): (Map<String, Value>, Option<Value>)| {
                object.extend(value.map(|value| (name.clone(), value)));
                object
            };
            object = (object, value).prop_map(with).boxed();
        }
        // A property that no schema knows.
        let unknown = proptest::option::weighted(0.2, anything());
        let with = |(mut object, unknown): (Map<String, Value>, Option<Value>)| {
            object.extend(unknown.map(|value| ("x_from_the_future".to_owned(), value)));
            Value::Object(object)
        };
        Ok((object, unknown).prop_map(with).boxed())
    }

    fn array(&self, node: &Value, at: &str) -> DataStrategy {
        require_known(node, at, &["type", "items", "minItems", "maxItems"])?;
        let least = node["minItems"].as_u64().unwrap_or(0);
        let most = node["maxItems"].as_u64().unwrap_or(least + EXTRA_ELEMENTS);
        let element = self.node(&node["items"], &format!("{at}/items"))?;
        let few = vec(element.clone(), sizes(least, most.min(least + EXTRA_ELEMENTS)));
        let full = vec(element, sizes(most, most));
        Ok(prop_oneof![9 => few, 1 => full].prop_map(Value::from).boxed())
    }
}

/// Draws any JSON with a few levels.
pub fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn text(node: &Value, at: &str) -> DataStrategy {
    if let Some(pattern) = node["pattern"].as_str() {
        require_known(node, at, &["type", "pattern"])?;
        let anchored = pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$'));
        let drawn = anchored.and_then(|pattern| string_regex(pattern).ok());
        let drawn = drawn.ok_or_else(|| unsupported(at, &format!("the pattern {pattern}")))?;
        return Ok(drawn.prop_map(Value::from).boxed());
    }
    require_known(node, at, &["type", "minLength", "maxLength"])?;
    let least = node["minLength"].as_u64().unwrap_or(0);
    let most = node["maxLength"].as_u64().unwrap_or(least.max(LONGEST_TEXT));
    let characters = |least, most| {
        vec(any::<char>(), sizes(least, most)).prop_map(|text| text.into_iter().collect::<String>())
    };
    let short = characters(least, most.min(least + 12));
    Ok(prop_oneof![9 => short, 1 => characters(most, most)].prop_map(Value::from).boxed())
}

fn integer(node: &Value, at: &str) -> DataStrategy {
    require_known(node, at, &["type", "minimum", "maximum"])?;
    let limit = |name: &str, otherwise| match &node[name] {
        Value::Null => Ok(otherwise),
        limit => limit.as_i64().ok_or_else(|| unsupported(at, &format!("the limit {limit}"))),
    };
    let (least, most) = (limit("minimum", i64::MIN)?, limit("maximum", i64::MAX)?);
    Ok(prop_oneof![least..=most, Just(least), Just(most)].prop_map(Value::from).boxed())
}

fn sizes(least: u64, most: u64) -> SizeRange {
    let size = |length| usize::try_from(length).unwrap_or(usize::MAX - 1);
    (size(least)..=size(most)).into()
}

/// Fails if the node has another keyword: if it were ignored, invalid data would be drawn.
fn require_known(node: &Value, at: &str, keywords: &[&str]) -> Result<(), Unsupported> {
    let mut names = node.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let other = names.find(|name| !keywords.contains(name) && !ANNOTATIONS.contains(name));
    other.map_or(Ok(()), |name| Err(unsupported(at, &format!("the keyword {name}"))))
}

fn unsupported(pointer: &str, what: &str) -> Unsupported {
    Unsupported { pointer: pointer.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::test_runner::TestRunner;
    use std::collections::BTreeSet;

    fn schema() -> Value {
        json!({
            "title": "Form", "type": "object", "required": ["id", "lines"],
            "properties": {
                "id": {"type": "string", "pattern": "^[a-f0-9]{4}$", "format": "x"},
                "lines": {"type": "array", "minItems": 1, "maxItems": 20,
                    "items": {"$ref": "#/$defs/line"}},
                "note": {"type": "string", "minLength": 2},
                "state": {"type": "string", "enum": ["new", "old"]},
                "urgent": {"type": "boolean"}
            },
            "$defs": {"line": {"type": "integer", "minimum": 1, "maximum": 9}}
        })
    }

    #[test]
    fn drawn_data_follows_the_schema_and_reaches_its_limits() {
        let (schema, mut seen) = (schema(), BTreeSet::new());
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut runner = TestRunner::deterministic();
        let strategy = following(&schema).unwrap();
        for _ in 0..500 {
            let data = strategy.new_tree(&mut runner).unwrap().current();
            validator.validate(&data).unwrap();
            let lines = data["lines"].as_array().unwrap();
            seen.insert(if lines.len() == 20 { "full" } else { "few" });
            seen.insert(if lines.contains(&json!(9)) { "most" } else { "less" });
            seen.insert(if data.get("note").is_some() { "note" } else { "no note" });
            seen.insert(if data.get("x_from_the_future").is_some() { "more" } else { "known" });
        }
        assert_eq!(seen.len(), 8, "{seen:?}");
    }

    #[test]
    fn an_error_names_a_keyword_that_would_be_ignored() {
        for (schema, what) in [
            (json!({"type": "array", "uniqueItems": true}), "the keyword uniqueItems"),
            (json!({"type": "string", "pattern": "a+"}), "the pattern a+"),
            (json!({"type": "number"}), "the type \"number\""),
        ] {
            let schema = json!({"type": "object", "properties": {"x": schema}});
            let error = following(&schema).unwrap_err();
            assert_eq!((&*error.pointer, &*error.what), ("/properties/x", what));
        }
    }
}
