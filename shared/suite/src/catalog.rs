//! What the terminal shows of an event's data: a fact or two that help an engineer, and nothing personal.
//!
//! The schemas of the contract decide. Of an event's own properties these are facts, the most telling kind first:
//!
//! 1. a reason: a string called `reason` or `…_reason`;
//! 2. an amount of money: an object of `amount_minor` and `currency`;
//! 3. a choice: a string of which the schema lists all values;
//! 4. an id: a string called `id`, `reference`, `…_id` or `…_reference`, beside the key of the aggregate. Of a UUID the end
//!    is shown; another long id is left out, since it cannot be read at a glance.
//!
//! Everything else stays out, so that a name, an address or a text that a person wrote is never printed. A word with an
//! `@` is masked also in a fact, since the reason of a mail server may repeat an address.

use crate::cmd::id;
use crate::money::Money;
use crate::palette::{cut, printable};
use event::{Contract, EventType as _};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// How many facts of an event are shown.
const FACTS: usize = 2;
/// How many characters a fact has at most.
const LONGEST: usize = 40;

/// The facts that the events of a contract have.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// The properties that are facts, by the `ce_dataschema` of a record.
    facts: HashMap<&'static str, Vec<Fact>>,
    /// The length of the longest name of a type.
    pub(crate) longest_type: usize,
}

/// A property that may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    kind: Kind,
    property: String,
}

/// The kinds of facts, the most telling one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Reason,
    Money,
    Choice,
    Id,
}

impl Catalog {
    pub(crate) fn of<C: Contract>() -> Self {
        let mut catalog = Self::default();
        for schema in C::schemas() {
            let name = schema.event_type.as_str();
            catalog.longest_type = catalog.longest_type.max(name.len());
            catalog.add(schema.id, schema.text, C::KEY_FIELD);
        }
        catalog
    }

    fn add(&mut self, id: &'static str, schema: &str, key_field: &str) {
        let schema: Value = serde_json::from_str(schema).unwrap_or_default();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut facts: Vec<Fact> = properties
            .filter(|(property, _)| *property != key_field)
            .filter_map(|(property, of)| {
                let kind = kind(property, resolved(&schema, of))?;
                Some(Fact { kind, property: property.clone() })
            })
            .collect();
        facts.sort();
        self.facts.insert(id, facts);
    }

    /// The facts of an event, whose data follows this schema, in the order of their kinds.
    pub(crate) fn facts(&self, schema: &str, data: &[u8]) -> Vec<String> {
        let Some(facts) = self.facts.get(schema).filter(|facts| !facts.is_empty()) else {
            return Vec::new();
        };
        let data: Map<String, Value> = serde_json::from_slice(data).unwrap_or_default();
        facts.iter().filter_map(|fact| fact.text(&data)).take(FACTS).collect()
    }
}

impl Fact {
    fn text(&self, data: &Map<String, Value>) -> Option<String> {
        let value = data.get(&self.property)?;
        if self.kind == Kind::Money {
            let money: Money = serde_json::from_value(value.clone()).ok()?;
            return Some(printable(&money.text()));
        }
        let text = value.as_str().filter(|text| !text.is_empty())?;
        if self.kind == Kind::Id {
            let short = id::short(text);
            return Some(short).filter(|short| !short.contains('…'));
        }
        let masked = |word| if str::contains(word, '@') { "…" } else { word };
        let words: Vec<&str> = text.split(' ').map(masked).collect();
        Some(cut(&printable(&words.join(" ")), LONGEST))
    }
}

fn kind(property: &str, schema: &Value) -> Option<Kind> {
    let is_called = |name: &str| {
        property.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    };
    if schema["properties"]["amount_minor"].is_object() {
        return Some(Kind::Money);
    }
    if schema["type"] != "string" {
        return None;
    }
    match () {
        () if is_called("reason") => Some(Kind::Reason),
        () if schema["enum"].is_array() => Some(Kind::Choice),
        () if is_called("id") || is_called("reference") => Some(Kind::Id),
        () => None,
    }
}

/// The schema that a reference within `schema` names, such as `#/$defs/money`; else the property's own.
fn resolved<'s>(schema: &'s Value, property: &'s Value) -> &'s Value {
    let pointer = property["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(property)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn catalog(properties: &Value) -> Catalog {
        let money = json!({"type": "object", "properties": {
            "amount_minor": {"type": "integer"}, "currency": {"type": "string"}}});
        let schema = json!({"properties": properties, "$defs": {"money": money}});
        let mut catalog = Catalog::default();
        catalog.add("urn:trip:v1", &schema.to_string(), "trip_id");
        catalog
    }

    fn facts(properties: &Value, data: &Value) -> Vec<String> {
        catalog(properties).facts("urn:trip:v1", data.to_string().as_bytes())
    }

    #[test]
    fn reasons_money_choices_and_ids_are_facts_the_most_telling_ones_first() {
        let text = json!({"type": "string"});
        let all = json!({
            "trip_id": text, "reference": text, "supplier_id": text,
            "class": {"type": "string", "enum": ["economy", "first"]},
            "price": {"$ref": "#/$defs/money"}, "refusal_reason": text,
        });
        let mut data = json!({
            "trip_id": "t", "reference": "F-7", "supplier_id": "s-1", "class": "first",
            "price": {"amount_minor": 1298, "currency": "EUR"}, "refusal_reason": "full",
        });
        assert_eq!(facts(&all, &data), ["full", "12.98 EUR"]);
        data["refusal_reason"].take();
        assert_eq!(facts(&all, &data), ["12.98 EUR", "first"]);
        data["price"].take();
        data["class"].take();
        assert_eq!(facts(&all, &data), ["F-7", "s-1"]);
        data["supplier_id"] = "01a1fe42-9258-7ba5-b604-8abaca0e01a8".into();
        data["reference"] = "F-0d643a0e5f3ad94b6b76c7".into();
        assert_eq!(facts(&all, &data), ["ca0e01a8"]);
    }

    #[test]
    fn nothing_personal_is_a_fact() {
        let text = json!({"type": "string"});
        let person = json!({
            "traveller": text, "email": text, "destination": text, "paid": {"type": "boolean"},
            "nights": {"type": "integer"}, "unreasonable": text, "valid": text,
            "address": {"type": "object", "properties": {"reason": text}},
        });
        let data = json!({
            "traveller": "Ada", "email": "ada@example.com", "destination": "Oslo", "paid": true,
            "nights": 3, "unreasonable": "Ada", "valid": "Ada", "address": {"reason": "Ada"},
        });
        assert_eq!(facts(&person, &data), [""; 0]);
        let reason = json!({"reason": text, "message_id": text});
        let data = json!({"reason": "550 no mailbox <ada@example.com> here",
            "message_id": "<1@trip>"});
        assert_eq!(facts(&reason, &data), ["550 no mailbox … here"]);
    }

    #[test]
    fn a_fact_is_short_and_cannot_control_the_terminal() {
        let reason = json!({"reason": {"type": "string"}});
        let long = facts(&reason, &json!({"reason": "\u{1b}[2J".repeat(20)}));
        assert_eq!((long[0].chars().count(), long[0].contains('\u{1b}')), (LONGEST, false));
        assert_eq!(facts(&reason, &json!({"reason": 7})), [""; 0]);
        assert_eq!(catalog(&reason).facts("urn:other", b"{\"reason\": \"x\"}"), [""; 0]);
        assert_eq!(catalog(&reason).facts("urn:trip:v1", b"no JSON"), [""; 0]);
    }
}
