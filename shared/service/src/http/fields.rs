//! The fields of a body, under check.

use std::{cell::RefCell, ops::RangeInclusive, str::FromStr};

use serde_json::Value;

use super::{Problem, Wrong, json::escaped, text};

/// What is wrong with a body's fields. Each is noted once, with what was found first.
#[derive(Debug, Default)]
pub struct Fields {
    wrong: RefCell<Vec<Wrong>>,
}

/// A field under check.
#[derive(Debug)]
pub struct Field<'f> {
    found: Found<'f>,
    pointer: String,
    fields: &'f Fields,
}

#[derive(Debug, Clone, Copy)]
enum Found<'f> {
    Value(&'f Value),
    Missing,
    /// What should hold it is wrong already.
    Unknown,
}

impl Fields {
    /// The body itself.
    #[must_use]
    pub fn body<'f>(&'f self, value: &'f Value) -> Field<'f> {
        Field { found: Found::Value(value), pointer: String::new(), fields: self }
    }

    /// Whether all were right.
    ///
    /// # Errors
    /// 422 with every field that is wrong.
    pub fn finish(self) -> Result<(), Problem> {
        let wrong = self.wrong.into_inner();
        if wrong.is_empty() { Ok(()) } else { Err(Problem::fields(wrong)) }
    }
}

impl<'f> Field<'f> {
    /// The member of this name; this field has to be an object.
    #[must_use]
    pub fn at(&self, name: &str) -> Field<'f> {
        let found = match self.found {
            Found::Value(Value::Object(members)) => {
                members.get(name).map_or(Found::Missing, Found::Value)
            }
            _ => self.not_a("JSON object"),
        };
        self.child(name, found)
    }

    /// The elements; this field has to be a list of so many.
    #[must_use]
    pub fn list(&self, count: RangeInclusive<usize>) -> Vec<Field<'f>> {
        let Found::Value(Value::Array(elements)) = self.found else {
            self.not_a("list");
            return Vec::new();
        };
        if !count.contains(&elements.len()) {
            let (least, most) = (count.start(), count.end());
            self.wrong(&format!("has {} elements and must have {least} to {most}", elements.len()));
            return Vec::new();
        }
        let numbered = elements.iter().enumerate();
        numbered.map(|(n, value)| self.child(&n.to_string(), Found::Value(value))).collect()
    }

    /// A text of 1 to `longest` characters that can be read.
    #[must_use]
    pub fn text(&self, longest: usize) -> String {
        let text = self.any_text();
        if let Some(fault) = text.and_then(|text| text::fault(text, longest)) {
            self.wrong(&fault);
        }
        text.unwrap_or_default().to_owned()
    }

    /// A text as above, or nothing at all.
    #[must_use]
    pub fn optional_text(&self, longest: usize) -> Option<String> {
        match self.found {
            Found::Missing | Found::Value(Value::Null) => None,
            _ => Some(self.text(longest)),
        }
    }

    /// A text that reads as a `T`, or `otherwise` says what it has to be.
    #[must_use]
    pub fn parsed<T: FromStr>(&self, otherwise: &str) -> Option<T> {
        let parsed = self.any_text()?.parse().ok();
        self.must(parsed.is_some(), otherwise);
        parsed
    }

    /// A whole number. `1.0` is the same number as `1`.
    #[must_use]
    pub fn integer(&self, range: RangeInclusive<i64>) -> i64 {
        let Found::Value(Value::Number(number)) = self.found else {
            self.not_a("whole number");
            return *range.start();
        };
        let whole = number.as_i64().or_else(|| number.as_f64().and_then(whole));
        let (least, most) = (range.start(), range.end());
        self.must(
            whole.is_some_and(|number| range.contains(&number)),
            &format!("must be a whole number, {least} to {most}"),
        );
        whole.unwrap_or(*least)
    }

    /// It has to be so, or `otherwise` says what it has to be.
    pub fn must(&self, so: bool, otherwise: &str) {
        if !so && !matches!(self.found, Found::Unknown) {
            self.wrong(otherwise);
        }
    }

    fn any_text(&self) -> Option<&'f str> {
        let Found::Value(Value::String(text)) = self.found else {
            self.not_a("text");
            return None;
        };
        Some(text)
    }

    fn child(&self, step: &str, found: Found<'f>) -> Field<'f> {
        let pointer = format!("{}/{}", self.pointer, escaped(step));
        Field { found, pointer, fields: self.fields }
    }

    /// Notes that the field is missing or something else; nothing can be said of what it holds.
    fn not_a(&self, kind: &str) -> Found<'f> {
        match self.found {
            Found::Value(value) => self.wrong(&format!("must be a {kind}, not {}", name(value))),
            Found::Missing => self.wrong("is missing"),
            Found::Unknown => {}
        }
        Found::Unknown
    }

    fn wrong(&self, detail: &str) {
        let mut wrong = self.fields.wrong.borrow_mut();
        if wrong.iter().all(|known| known.pointer != self.pointer) {
            wrong.push(Wrong { pointer: self.pointer.clone(), detail: detail.to_owned() });
        }
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a JSON object",
    }
}

/// The integer that a number is, if all doubles around it are integers of their own.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = number.fract() == 0.0 && number.abs() <= EXACT;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and far from the limits of i64")]
    whole.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The fields that are wrong, when each of them is read.
    fn read(body: &Value) -> Vec<(String, String)> {
        let fields = Fields::default();
        let root = fields.body(body);
        let _ = root.at("name").text(3);
        for item in root.at("items").list(1..=2) {
            let _ = item.at("quantity").integer(1..=10);
        }
        let _ = root.at("address").at("city").text(3);
        let _ = root.at("address").at("number").parsed::<u8>("must be a number");
        let wrong = fields.finish().err().map_or_else(Vec::new, |problem| problem.errors);
        wrong.into_iter().map(|Wrong { pointer, detail }| (pointer, detail)).collect()
    }

    fn right() -> Value {
        json!({ "name": "Ada", "items": [{ "quantity": 1 }, { "quantity": 2.0 }],
            "address": { "city": "Ulm", "number": "7" } })
    }

    #[test]
    fn what_is_right_passes() {
        assert_eq!(read(&right()), []);
    }

    #[test]
    fn every_wrong_field_is_named_once_in_order() {
        let body = json!({ "name": 7, "items": [{ "quantity": "2" }, { "quantity": 1.5 }],
            "address": ["Ulm"] });
        let expected = [
            ("/name", "must be a text, not a number"),
            ("/items/0/quantity", "must be a whole number, not a text"),
            ("/items/1/quantity", "must be a whole number, 1 to 10"),
            ("/address", "must be a JSON object, not a list"),
        ];
        assert_eq!(read(&body), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn what_is_missing_is_named_alone() {
        let is_missing = |pointers: &[&str]| -> Vec<_> {
            pointers.iter().map(|at| ((*at).to_owned(), "is missing".to_owned())).collect()
        };
        assert_eq!(read(&json!({})), is_missing(&["/name", "/items", "/address"]));
        let mut body = right();
        body["items"][1] = json!({});
        body["address"] = json!({});
        let missing = ["/items/1/quantity", "/address/city", "/address/number"];
        assert_eq!(read(&body), is_missing(&missing));
        let whole = [(String::new(), "must be a JSON object, not null".to_owned())];
        assert_eq!(read(&Value::Null), whole);
    }

    #[test]
    fn only_whole_numbers_that_doubles_hold_are_whole() {
        assert_eq!(whole(-3.0), Some(-3));
        for wrong in [0.5, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(whole(wrong), None, "{wrong}");
        }
    }
}
