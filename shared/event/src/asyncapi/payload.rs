//! The JSON Schemas of a contract as AsyncAPI takes them.
//!
//! AsyncAPI's own schemas are JSON Schema draft 7, in which a `$ref` hides what stands beside it, and a document has one
//! place for shared definitions.

use serde_json::{Map, Value, json};

use crate::Schema;

/// The schema of an event's data, whose definitions go to `shared`.
pub(super) fn hoisted<T>(schema: &Schema<T>, shared: &mut Map<String, Value>) -> Value {
    let mut payload: Value = serde_json::from_str(schema.text).expect("an embedded schema is JSON");
    let mut definitions = Map::new();
    if let Value::Object(members) = &mut payload {
        // The URN is the header `ce_dataschema`; a parser would take it for the base of every `$ref`.
        members.remove("$schema");
        members.remove("$id");
        if let Some(Value::Object(found)) = members.remove("$defs") {
            definitions = found;
        }
    }
    let names: Vec<String> = definitions.keys().cloned().collect();
    let rename = |name: &str| {
        let taken = shared.get(name).is_some_and(|other| Some(other) != definitions.get(name));
        if taken { format!("{}.{name}", schema.id.replace(':', ".")) } else { name.to_owned() }
    };
    let renamed: Map<String, Value> =
        names.iter().map(|name| (name.clone(), rename(name).into())).collect();
    for (name, mut definition) in definitions {
        refer(&mut definition, &renamed);
        shared.insert(new_name(&renamed, &name).to_owned(), definition);
    }
    refer(&mut payload, &renamed);
    payload
}

fn new_name<'r>(renamed: &'r Map<String, Value>, name: &'r str) -> &'r str {
    renamed.get(name).and_then(Value::as_str).unwrap_or(name)
}

/// Points each `$ref` at the shared definitions.
fn refer(schema: &mut Value, renamed: &Map<String, Value>) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, renamed)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| refer(member, renamed));
            let Some(Value::String(target)) = members.get("$ref") else { return };
            let Some(name) = target.strip_prefix("#/$defs/") else { return };
            let target = format!("#/components/schemas/{}", new_name(renamed, name));
            let target = json!({ "$ref": target });
            if members.len() == 1 {
                *schema = target;
            } else {
                members.remove("$ref");
                members.insert("allOf".to_owned(), json!([target]));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(id: &'static str, text: &'static str) -> Schema<()> {
        Schema::new((), 1, id, text, "{}")
    }

    #[test]
    fn definitions_of_one_name_are_shared_where_they_say_the_same() {
        let cents = r##"{"$id": "urn:a", "properties": {"a": {"$ref": "#/$defs/money"}, "b": {"description": "B",
            "$ref": "#/$defs/money"}}, "$defs": {"money": {"type": "integer"}}}"##;
        let text = r##"{"properties": {"a": {"$ref": "#/$defs/money"}}, "$defs": {"money": {"type": "string"}}}"##;
        let mut shared = Map::new();
        let first = hoisted(&schema("urn:a", cents), &mut shared);
        let again = hoisted(&schema("urn:b", cents), &mut shared);
        let other = hoisted(&schema("urn:c", text), &mut shared);
        let target = json!({ "$ref": "#/components/schemas/money" });
        let expected =
            json!({"properties": {"a": target, "b": {"description": "B", "allOf": [target]}}});
        assert_eq!((&first, &again), (&expected, &expected));
        assert_eq!(other["properties"]["a"]["$ref"], "#/components/schemas/urn.c.money");
        let expected = json!({"money": {"type": "integer"}, "urn.c.money": {"type": "string"}});
        assert_eq!(Value::Object(shared), expected);
    }
}
