//! Parses the body of a request as JSON, strictly, and hashes it for comparison with repeats.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use sha2::{Digest, Sha256};

use super::{Failure, Problem};

/// The byte order mark of UTF-8. Some editors and clients put it in front of JSON, and RFC 8259 §8.1 allows a parser to
/// ignore it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The largest number up to which a double can represent every integer. Most readers of JSON represent its numbers as
/// doubles (RFC 8259 §6).
const LARGEST_WHOLE: i64 = 1 << 53;
const LARGEST_WHOLE_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// A JSON value. Texts without escapes are borrowed from the body.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'b> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, however it is spelled: `1.0` and `10e-1` are `1`.
    Whole(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(Cow<'b, str>),
    /// A list.
    List(Vec<Self>),
    /// An object. Its members are sorted by name, and each name occurs once.
    Object(Vec<(Cow<'b, str>, Self)>),
}

/// The hashes by which two requests under one `Idempotency-Key` are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 of the body's canonical form: as in RFC 8785, the order of members, white space and the
    /// spelling of texts and numbers do not count.
    pub canonical: [u8; 32],
    /// SHA-256 of the bytes that were sent.
    pub sent: [u8; 32],
}

impl Fingerprint {
    /// The fingerprint of a body: its bytes, and the value that they were parsed into.
    #[must_use]
    pub fn of(sent: &[u8], value: &Json<'_>) -> Self {
        let sent = Sha256::digest(sent).into();
        // Serializing a `Json` into memory does not fail.
        let canonical = serde_json::to_vec(value);
        Self { canonical: canonical.map_or(sent, |text| Sha256::digest(text).into()), sent }
    }
}

impl<'b> Json<'b> {
    /// Parses a body.
    ///
    /// # Errors
    /// 400 if the body is not a single JSON value; 422, naming the member, if a member occurs twice in its object, since
    /// JSON parsers disagree which of the two counts (RFC 8259 §4).
    pub(super) fn parse(sent: &'b [u8]) -> Result<Self, Problem> {
        let text = sent.strip_prefix(BYTE_ORDER_MARK).unwrap_or(sent);
        let mut json = serde_json::Deserializer::from_slice(text);
        let mut twice = None;
        match (Strict { twice: &mut twice }.deserialize(&mut json), twice) {
            (Ok(value), _) => json.end().map(|()| value).map_err(|error| not_json(&error)),
            (Err(_), Some(pointer)) => {
                Err(Problem::unprocessable(&pointer, "stands twice in its object; send it once"))
            }
            (Err(error), None) => Err(not_json(&error)),
        }
    }

    /// The member of this name; `None` if the value is no object or has no such member.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    match error.to_string() {
        text if text.starts_with("recursion limit") => Failure::TooDeep.into(),
        text => Failure::NotJson.with(&[("why", &text)]),
    }
}

/// A name as a step of a JSON pointer (RFC 6901).
pub(super) fn escaped(step: &str) -> Cow<'_, str> {
    if step.contains(['~', '/']) {
        step.replace('~', "~0").replace('/', "~1").into()
    } else {
        step.into()
    }
}

/// Writes the canonical form. It is canonical because the members of objects are sorted.
impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Whole(value) => to.serialize_i64(*value),
            Self::Number(value) => to.serialize_f64(*value),
            Self::Text(text) => to.serialize_str(text),
            Self::List(values) => to.collect_seq(values),
            Self::Object(members) => {
                to.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

/// Parses a value, and fails at a member that occurs twice in its object. `twice` is then the JSON pointer to it.
struct Strict<'t> {
    twice: &'t mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Json<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        let is_exact = value.unsigned_abs() <= LARGEST_WHOLE.unsigned_abs();
        #[expect(clippy::cast_precision_loss, reason = "other readers of the body lose it too")]
        Ok(if is_exact { Json::Whole(value) } else { Json::Number(value as f64) })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        let whole = i64::try_from(value).ok().filter(|whole| *whole <= LARGEST_WHOLE);
        #[expect(clippy::cast_precision_loss, reason = "other readers of the body lose it too")]
        Ok(whole.map_or(Json::Number(value as f64), Json::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        let is_whole = value.fract() == 0.0 && value.abs() <= LARGEST_WHOLE_DOUBLE;
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within ±2^53")]
        Ok(if is_whole { Json::Whole(value as i64) } else { Json::Number(value) })
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        loop {
            match list.next_element_seed(Strict { twice: &mut *self.twice }) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => return Ok(Json::List(values)),
                Err(error) => return Err(within(&values.len().to_string(), self.twice, error)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some(Name(name)) = object.next_key()? {
            let value = object.next_value_seed(Strict { twice: &mut *self.twice });
            match value {
                Ok(value) => members.push((name, value)),
                Err(error) => return Err(within(&name, self.twice, error)),
            }
        }
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            *self.twice = Some(String::new());
            return Err(within(&pair[0].0, self.twice, A::Error::custom("stands twice")));
        }
        Ok(Json::Object(members))
    }
}

/// Puts `step` in front of the pointer `twice`, if the error is a member that occurs twice.
fn within<E>(step: &str, twice: &mut Option<String>, error: E) -> E {
    if let Some(pointer) = twice {
        *pointer = format!("/{}{pointer}", escaped(step));
    }
    error
}

/// The name of a member.
struct Name<'b>(Cow<'b, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        match (Strict { twice: &mut None }).deserialize(json)? {
            Json::Text(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("the name of a member must be a text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Json<'_>, Problem> {
        Json::parse(text.as_bytes())
    }

    fn fingerprint(text: &str) -> Fingerprint {
        Fingerprint::of(text.as_bytes(), &parse(text).unwrap())
    }

    #[test]
    fn numbers_are_the_same_however_they_are_spelled() {
        for (spellings, number) in [
            (["1", "1.0", "10e-1"], Json::Whole(1)),
            (["0", "-0", "-0.0"], Json::Whole(0)),
            (["-7", "-7.0", "-0.7e1"], Json::Whole(-7)),
            (
                ["9007199254740992", "9007199254740992.0", "9.007199254740992e15"],
                Json::Whole(1 << 53),
            ),
            (
                ["18446744073709551615", "18446744073709551616", "1.8446744073709551615e19"],
                Json::Number(18_446_744_073_709_551_616.0),
            ),
            (
                ["-9007199254740994", "-9007199254740994.0", "-9.007199254740994e15"],
                Json::Number(-9_007_199_254_740_994.0),
            ),
            (["1.5", "15e-1", "0.15e1"], Json::Number(1.5)),
        ] {
            for spelling in spellings {
                assert_eq!(parse(spelling).unwrap(), number, "{spelling}");
            }
        }
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
    fn a_byte_order_mark_at_the_start_is_ignored() {
        let body = parse("\u{feff}{\"a\": 1}").unwrap();
        assert_eq!(body.member("a"), Some(&Json::Whole(1)));
        assert_eq!(parse("{\"a\": \u{feff}1}").unwrap_err().status, 400);
    }

    #[test]
    fn a_member_that_occurs_twice_is_named() {
        for (body, named) in [
            (r#"{"hotel": {}, "hotel": {}}"#, "/hotel"),
            (r#"{"a": [1, [2], {"b/c": {"~": 1, "~": 2}}]}"#, "/a/2/b~1c/~0"),
        ] {
            let problem = parse(body).unwrap_err();
            assert_eq!((problem.status, problem.errors[0].pointer.as_str()), (422, named));
            assert_eq!(problem.detail, format!("{named} stands twice in its object; send it once"));
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_a_bad_request() {
        for body in ["", "{", "{\"items\": []} {}", "\u{0}", "1e999", "nul"] {
            assert_eq!(parse(body).unwrap_err().status, 400, "{body:?}");
        }
        let deep = "[".repeat(1_000);
        let deep = parse(&deep).unwrap_err();
        assert_eq!((deep.status, &deep.detail[..24]), (400, "the body is nested too d"));
    }
}
