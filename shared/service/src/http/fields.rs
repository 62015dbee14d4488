//! Checks the fields of a body, and collects all that are wrong.

use std::{cell::RefCell, ops::RangeInclusive, str::FromStr};

use super::{
    Problem, Wrong,
    json::{Json, escaped},
    text,
};

/// The wrong fields of a body. Each is noted once, with the first fault that was found in it.
#[derive(Debug, Default)]
pub struct Fields {
    wrong: RefCell<Vec<Wrong>>,
}

/// A field that is being checked. Its methods read the value, and note in [`Fields`] if it is wrong. They return a
/// placeholder then, so that a caller can go on and find all faults: [`Fields::finish`] discards the result.
#[derive(Debug)]
pub struct Field<'f> {
    found: Found<'f>,
    pointer: String,
    fields: &'f Fields,
}

#[derive(Debug, Clone, Copy)]
enum Found<'f> {
    Value(&'f Json<'f>),
    Missing,
    /// The object or list around it is wrong. That problem is noted already, so this field adds none.
    Unknown,
}

impl Fields {
    /// The body as a field.
    #[must_use]
    pub fn body<'f>(&'f self, value: &'f Json<'f>) -> Field<'f> {
        Field { found: Found::Value(value), pointer: String::new(), fields: self }
    }

    /// Ends the check.
    ///
    /// # Errors
    /// 422 with every field that is wrong.
    pub fn finish(self) -> Result<(), Problem> {
        let wrong = self.wrong.into_inner();
        if wrong.is_empty() { Ok(()) } else { Err(Problem::fields(wrong)) }
    }
}

impl<'f> Field<'f> {
    /// The member of this name. The field must be an object.
    #[must_use]
    pub fn at(&self, name: &str) -> Field<'f> {
        let found = match self.found {
            Found::Value(object @ Json::Object(_)) => {
                object.member(name).map_or(Found::Missing, Found::Value)
            }
            _ => self.not_a("JSON object"),
        };
        self.child(name, found)
    }

    /// The elements. The field must be a list with a number of elements in the range `count`.
    #[must_use]
    pub fn list(&self, count: RangeInclusive<usize>) -> Vec<Field<'f>> {
        let Found::Value(Json::List(elements)) = self.found else {
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

    /// The text. It must have 1 to `longest` characters, one of them visible, and none that hides or reorders others.
    #[must_use]
    pub fn text(&self, longest: usize) -> String {
        let text = self.any_text();
        if let Some(fault) = text.and_then(|text| text::fault(text, longest)) {
            self.wrong(&fault);
        }
        text.unwrap_or_default().to_owned()
    }

    /// As [`Field::text`]; `None` if the field is missing or null.
    #[must_use]
    pub fn optional_text(&self, longest: usize) -> Option<String> {
        match self.found {
            Found::Missing | Found::Value(Json::Null) => None,
            _ => Some(self.text(longest)),
        }
    }

    /// The text, parsed as a `T`. If it is none, the field is noted as wrong with the detail `otherwise`.
    #[must_use]
    pub fn parsed<T: FromStr>(&self, otherwise: &str) -> Option<T> {
        let parsed = self.any_text()?.parse().ok();
        self.must(parsed.is_some(), otherwise);
        parsed
    }

    /// The whole number. It must be in the range. `1.0` is the same number as `1`.
    #[must_use]
    pub fn integer(&self, range: RangeInclusive<i64>) -> i64 {
        let (least, most) = (*range.start(), *range.end());
        let whole = match self.found {
            Found::Value(Json::Whole(whole)) => Some(*whole),
            Found::Value(Json::Number(_)) => None,
            _ => {
                self.not_a("whole number");
                return least;
            }
        };
        let whole = whole.filter(|whole| range.contains(whole));
        if whole.is_none() {
            self.wrong(&format!("must be a whole number, {least} to {most}"));
        }
        whole.unwrap_or(least)
    }

    /// Notes the field as wrong with the detail `otherwise`, unless `right`.
    pub fn must(&self, right: bool, otherwise: &str) {
        if !right && !matches!(self.found, Found::Unknown) {
            self.wrong(otherwise);
        }
    }

    fn any_text(&self) -> Option<&'f str> {
        let Found::Value(Json::Text(text)) = self.found else {
            self.not_a("text");
            return None;
        };
        Some(text)
    }

    fn child(&self, step: &str, found: Found<'f>) -> Field<'f> {
        let pointer = [&*self.pointer, "/", &*escaped(step)].concat();
        Field { found, pointer, fields: self.fields }
    }

    /// Notes that the field is missing or of another kind. Its members are [`Found::Unknown`].
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

fn name(value: &Json<'_>) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Whole(_) | Json::Number(_) => "a number",
        Json::Text(_) => "a text",
        Json::List(_) => "a list",
        Json::Object(_) => "a JSON object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Reads each field of the body, and returns those that are wrong.
    fn read(body: &Value) -> Vec<(String, String)> {
        let text = body.to_string();
        let (fields, body) = (Fields::default(), Json::parse(text.as_bytes()).unwrap());
        let root = fields.body(&body);
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
    fn a_right_body_passes() {
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
    fn a_missing_object_is_named_and_its_members_are_not() {
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
}
