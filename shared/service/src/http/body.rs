use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use utoipa::openapi::{ObjectBuilder, Type};

use super::{Problem, broken_body};

/// A JSON body, read strictly: what is missing or of the wrong type is a problem that names the
/// field.
#[derive(Debug)]
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send the body as JSON, with the header content-type: application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| broken_body(&error))?;
        Ok(Self { hash: Sha256::digest(&bytes).into(), value: parse(&bytes)? })
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde would also take a list for a struct.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::unprocessable("", "must be a JSON object, not a list"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() {
            wrong_data(&pointer, &inner.to_string())
        } else {
            Problem::new(StatusCode::BAD_REQUEST, &format!("the body is not JSON: {inner}"))
        }
    })?;
    json.end().map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, &format!("the body is not one JSON value: {error}"))
    })?;
    Ok(value)
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escaped(key))),
            Segment::Enum { variant } => Some(format!("/{variant}")),
            Segment::Unknown => None,
        })
        .collect()
}

/// Serde says where it stood; that a field is missing it says of what should hold it.
fn wrong_data(pointer: &str, message: &str) -> Problem {
    let message = message.rsplit_once(" at line ").map_or(message, |(text, _)| text);
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(field) => Problem::unprocessable(&format!("{pointer}/{field}"), "is missing"),
        None => Problem::unprocessable(pointer, message),
    }
}

/// Checks of a body's fields, the first failure of which counts.
#[derive(Debug, Default)]
pub struct Fields {
    wrong: Option<Problem>,
}

/// A field under check.
#[derive(Debug)]
pub struct Field<'f> {
    fields: &'f mut Fields,
    pointer: String,
}

impl Fields {
    /// The field at this JSON Pointer.
    pub fn at(&mut self, pointer: impl Into<String>) -> Field<'_> {
        Field { fields: self, pointer: pointer.into() }
    }

    /// Whether all were right.
    ///
    /// # Errors
    /// The first that was not.
    pub fn finish(self) -> Result<(), Problem> {
        self.wrong.map_or(Ok(()), Err)
    }
}

impl Field<'_> {
    /// It has to be so, or `otherwise` says what it has to be.
    pub fn must(self, so: bool, otherwise: &str) {
        if !so && self.fields.wrong.is_none() {
            self.fields.wrong = Some(Problem::unprocessable(&self.pointer, otherwise));
        }
    }

    /// It has to be a text of 1 to `longest` characters, not all blank, none of them a control
    /// character (PostgreSQL stores no NUL, and the others have no place in a name either).
    pub fn text(self, value: &str, longest: usize) {
        let fits = !value.trim().is_empty() && value.chars().count() <= longest;
        let plain = !value.contains(char::is_control);
        let detail =
            format!("must be a text of 1 to {longest} characters, none a control character");
        self.must(fits && plain, &detail);
    }
}

/// The description of what [`Field::text`] takes.
#[must_use]
pub fn text_schema(longest: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(longest)).pattern(Some(
        r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
    ))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Item {
        quantity: i64,
    }

    fn problem(body: &'static str) -> Problem {
        parse::<Order>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        let problem = problem(r#"{"items": [{"quantity": 1}, {"quantity": "2"}]}"#);
        assert_eq!(problem.status, 422);
        assert_eq!(problem.errors[0].pointer, "/items/1/quantity");
        assert_eq!(problem.errors[0].detail, r#"invalid type: string "2", expected i64"#);
    }

    #[test]
    fn a_missing_field_is_named() {
        let problem = problem(r#"{"items": [{}]}"#);
        assert_eq!(
            (problem.status, problem.detail.as_str()),
            (422, "/items/0/quantity is missing")
        );
    }

    #[test]
    fn what_is_not_json_is_a_bad_request() {
        for body in ["", "{", "{\"items\": []} {}", "\u{0}"] {
            assert_eq!(problem(body).status, 400, "{body:?}");
        }
        assert_eq!(problem("[]").status, 422);
        assert_eq!(problem(r#" [[{"quantity": 1}]]"#).status, 422);
    }

    #[test]
    fn the_first_wrong_field_counts() {
        let mut fields = Fields::default();
        fields.at("/a").text("fine", 10);
        fields.at("/b").text("a\u{0}", 10);
        fields.at("/c").must(false, "must be else");
        assert_eq!(fields.finish().unwrap_err().errors[0].pointer, "/b");
    }
}
