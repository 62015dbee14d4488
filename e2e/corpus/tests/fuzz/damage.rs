//! Random damage to bytes, JSON and headers.

use corpus::Record;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

/// A change that damages a record. Positions are taken modulo the length.
#[derive(Debug, Clone)]
pub enum Damage {
    ByteDamage(ByteDamage),
    /// Puts another value at one of the places in the JSON.
    Json(Index, Value),
    Header(Index, Vec<u8>),
    HeaderBytes(Index, ByteDamage),
    Dropped(Index),
    /// Repeats a header in front, with the value of another.
    Doubled(Index, Index),
    Renamed(Index, String),
    Key(Vec<u8>),
}

/// A change that damages bytes.
#[derive(Debug, Clone)]
pub enum ByteDamage {
    Set(Index, u8),
    Cut(Index),
    Removed(Index, usize),
    Inserted(Index, Vec<u8>),
}

pub fn bytes() -> impl Strategy<Value = ByteDamage> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| ByteDamage::Set(at, byte)),
        any::<Index>().prop_map(ByteDamage::Cut),
        (any::<Index>(), 1..20_usize).prop_map(|(at, length)| ByteDamage::Removed(at, length)),
        (any::<Index>(), any::<String>())
            .prop_map(|(at, text)| ByteDamage::Inserted(at, text.into_bytes())),
        (any::<Index>(), vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| ByteDamage::Inserted(at, bytes)),
    ]
}

pub fn damage() -> impl Strategy<Value = Damage> {
    // Control characters are rare among all characters, but the most dangerous ones for logs.
    let words = || prop_oneof![any::<String>(), "[\\x00-\\x1f\\x7f]{1,4}"];
    let text = || words().prop_map(String::into_bytes);
    prop_oneof![
        bytes().prop_map(Damage::ByteDamage),
        (any::<Index>(), samples::anything()).prop_map(|(at, value)| Damage::Json(at, value)),
        (any::<Index>(), text()).prop_map(|(at, text)| Damage::Header(at, text)),
        (any::<Index>(), bytes()).prop_map(|(at, bytes)| Damage::HeaderBytes(at, bytes)),
        any::<Index>().prop_map(Damage::Dropped),
        (any::<Index>(), any::<Index>()).prop_map(|(at, other)| Damage::Doubled(at, other)),
        (any::<Index>(), any::<String>()).prop_map(|(at, name)| Damage::Renamed(at, name)),
        text().prop_map(Damage::Key),
    ]
}

impl ByteDamage {
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |index: &Index| index.index(bytes.len() + 1);
        match self {
            Self::Set(index, byte) => {
                let at = at(index);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Self::Cut(index) => bytes.truncate(at(index)),
            Self::Removed(index, length) => {
                let at = at(index);
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Self::Inserted(index, new) => {
                let at = at(index);
                bytes.splice(at..at, new.iter().copied());
            }
        }
    }
}

impl Damage {
    pub fn apply(&self, record: &mut Record) {
        let headers = record.headers.len();
        match self {
            Self::ByteDamage(bytes) => bytes.apply(&mut record.value),
            Self::Json(at, value) => record.value = json(&record.value, *at, value),
            Self::Key(key) => record.key.clone_from(key),
            _ if headers == 0 => {}
            Self::Header(at, text) => record.headers[at.index(headers)].1.clone_from(text),
            Self::HeaderBytes(at, bytes) => bytes.apply(&mut record.headers[at.index(headers)].1),
            Self::Dropped(at) => drop(record.headers.remove(at.index(headers))),
            Self::Doubled(at, other) => {
                let name = record.headers[at.index(headers)].0.clone();
                let text = record.headers[other.index(headers)].1.clone();
                record.headers.insert(0, (name, text));
            }
            Self::Renamed(at, name) => record.headers[at.index(headers)].0.clone_from(name),
        }
    }
}

/// The JSON with another value at one of its places. A text that is not JSON is unchanged.
pub fn json(text: &[u8], at: Index, new: &Value) -> Vec<u8> {
    let Ok(mut json) = serde_json::from_slice::<Value>(text) else { return text.to_vec() };
    let mut places = Vec::new();
    collect(&json, String::new(), &mut places);
    if let Some(place) = json.pointer_mut(&places[at.index(places.len())]) {
        *place = new.clone();
    }
    serde_json::to_vec(&json).unwrap_or_default()
}

fn collect(json: &Value, at: String, places: &mut Vec<String>) {
    match json {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(member, format!("{at}/{name}"), places);
            }
        }
        Value::Array(elements) => {
            for (nth, element) in elements.iter().enumerate() {
                collect(element, format!("{at}/{nth}"), places);
            }
        }
        _ => {}
    }
    places.push(at);
}
