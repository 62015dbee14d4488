//! A body as JSON, read strictly.

use std::fmt;

use axum::{body::Bytes, http::StatusCode};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Problem;

/// The byte order mark of UTF-8, which some editors and clients put in front (RFC 8259 §8.1 allows
/// to ignore it).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body: what was sent, and what it says.
#[derive(Debug, Clone)]
pub struct Json {
    sent: Bytes,
    pub(super) value: Value,
}

/// What two requests under one `Idempotency-Key` are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 of the body's canonical form (RFC 8785): the order of members, white space and the
    /// spelling of numbers do not count.
    pub canonical: [u8; 32],
    /// SHA-256 of the bytes that were sent.
    pub sent: [u8; 32],
}

impl Json {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 for what is not a single JSON value; 422 naming a member that stands twice in its object,
    /// since readers disagree which of the two counts.
    pub(super) fn parse(sent: Bytes) -> Result<Self, Problem> {
        let text = sent.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&sent);
        let mut json = serde_json::Deserializer::from_slice(text);
        let (mut path, mut twice) = (Vec::new(), false);
        let read = Strict { path: &mut path, twice: &mut twice }.deserialize(&mut json);
        let value = match read {
            Ok(value) => value,
            Err(_) if twice => {
                return Err(Problem::unprocessable(
                    &pointer(&path),
                    "stands twice in its object; send it once",
                ));
            }
            Err(error) => return Err(not_json(&error)),
        };
        json.end().map_err(|error| not_json(&error))?;
        Ok(Self { sent, value })
    }

    /// What the body is compared by.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut canonical = Sha256::new();
        // Writing into a hash does not fail, and a parsed value has only numbers that can be written.
        let written = serde_json_canonicalizer::to_writer(&self.value, &mut canonical);
        let sent = Sha256::digest(&self.sent).into();
        Fingerprint { canonical: written.map_or(sent, |()| canonical.finalize().into()), sent }
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    let detail = match error.to_string() {
        text if text.starts_with("recursion limit") => {
            "the body is nested too deeply; no request needs that".to_owned()
        }
        text => format!("the body is not JSON: {text}"),
    };
    Problem::new(StatusCode::BAD_REQUEST, &detail)
}

/// RFC 6901.
fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |pointer, step| pointer + "/" + &escaped(step))
}

pub(super) fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// Reads a value; ends at a member that stands twice in its object, with `path` leading there.
struct Strict<'p> {
    path: &'p mut Vec<String>,
    twice: &'p mut bool,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let Self { path, twice } = self;
        let mut values = Vec::new();
        loop {
            path.push(values.len().to_string());
            match list.next_element_seed(Strict { path, twice })? {
                Some(value) => values.push(value),
                None => break,
            }
            path.pop();
        }
        path.pop();
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let Self { path, twice } = self;
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            path.push(name.clone());
            if members.contains_key(&name) {
                *twice = true;
                return Err(A::Error::custom("a member stands twice"));
            }
            let value = object.next_value_seed(Strict { path, twice })?;
            members.insert(name, value);
            path.pop();
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Json, Problem> {
        Json::parse(Bytes::from_static(text.as_bytes()))
    }

    fn fingerprint(text: &'static str) -> Fingerprint {
        parse(text).unwrap().fingerprint()
    }

    #[test]
    fn another_spelling_of_the_same_json_has_the_same_canonical_form() {
        let first = fingerprint(r#"{"a": 1, "b": [{"x": "é", "y": 100}], "c": null}"#);
        let second =
            fingerprint("{\"c\":null,\n \"b\":[{\"y\":1.0e2,\"x\":\"\\u00e9\"}],\"a\":1.0}");
        assert_eq!(first.canonical, second.canonical);
        assert_ne!(first.sent, second.sent);
        for other in [r#"{"a": 1}"#, r#"{"a": 1, "b": [{"x": "é", "y": 101}], "c": null}"#] {
            assert_ne!(fingerprint(other).canonical, first.canonical);
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(parse("\u{feff}{\"a\": 1}").unwrap().value["a"], 1);
        assert_eq!(parse("{\"a\": \u{feff}1}").unwrap_err().status, 400);
    }

    #[test]
    fn a_member_that_stands_twice_is_named() {
        for (body, named) in [
            (r#"{"payment": {}, "payment": {}}"#, "/payment"),
            (r#"{"a": [1, [2], {"b/c": {"~": 1, "~": 2}}]}"#, "/a/2/b~1c/~0"),
        ] {
            let problem = parse(body).unwrap_err();
            assert_eq!((problem.status, problem.errors[0].pointer.as_str()), (422, named));
            assert_eq!(problem.detail, format!("{named} stands twice in its object; send it once"));
        }
    }

    #[test]
    fn what_is_not_json_is_a_bad_request() {
        for body in ["", "{", "{\"items\": []} {}", "\u{0}", "1e999", "nul"] {
            assert_eq!(parse(body).unwrap_err().status, 400, "{body:?}");
        }
        let deep = parse("[".repeat(1_000).leak()).unwrap_err();
        assert_eq!((deep.status, &deep.detail[..24]), (400, "the body is nested too d"));
    }
}
