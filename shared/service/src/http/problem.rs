//! Errors as answers to HTTP requests.

use std::borrow::Cow;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use edge::Foreign;
use engine::CommandError;
use serde::Serialize;
use store::{Class, StoreError};
use utoipa::ToSchema;

use super::Failure;

/// The longest text of an answer, in characters. A text may quote the request, and a long request must not cause a long
/// answer.
const LONGEST_DETAIL: usize = 500;
/// The longest pointer or name of a parameter.
const LONGEST_NAME: usize = 200;
/// How many wrong fields an answer lists.
pub(super) const MOST_FIELDS: usize = 20;

/// An error in the form of RFC 9457: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The status code, repeated.
    #[schema(example = 422)]
    pub status: u16,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: String,
    /// What is wrong and what to do about it.
    #[schema(example = "/items/0/quantity must be a whole number, 1 to 1000")]
    pub detail: String,
    /// The fields that are wrong.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Wrong>,
    #[serde(skip)]
    retry_after: Option<u32>,
    #[serde(skip)]
    close: bool,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Wrong {
    /// JSON Pointer (RFC 6901) to it in the body, or the name of a parameter or header.
    #[schema(example = "/items/0/quantity")]
    pub pointer: String,
    /// What is wrong and what would be right.
    #[schema(example = "must be a whole number, 1 to 1000")]
    pub detail: String,
}

impl Problem {
    /// A problem that is not about fields.
    #[must_use]
    pub fn new(status: StatusCode, detail: &str) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            detail: cut(detail, LONGEST_DETAIL).into_owned(),
            errors: Vec::new(),
            retry_after: None,
            close: false,
        }
    }

    /// 422: the value at this JSON Pointer is not acceptable.
    #[must_use]
    pub fn unprocessable(pointer: &str, detail: &str) -> Self {
        Self::field(Failure::WrongField.status(), pointer, detail)
    }

    /// 429: the field at this JSON Pointer has reached a limit.
    #[must_use]
    pub fn too_many(pointer: &str, detail: &str) -> Self {
        Self::field(StatusCode::TOO_MANY_REQUESTS, pointer, detail)
    }

    /// 422: the values of these fields are not acceptable.
    #[must_use]
    pub fn fields(wrong: Vec<Wrong>) -> Self {
        Self::all(Failure::WrongField.status(), "fields", wrong)
    }

    /// 400: the values of these parameters are not acceptable.
    #[must_use]
    pub fn parameters(wrong: Vec<Wrong>) -> Self {
        Self::all(Failure::WrongParameter.status(), "parameters", wrong)
    }

    fn all(status: StatusCode, kind: &str, wrong: Vec<Wrong>) -> Self {
        if let [Wrong { pointer, detail }] = &wrong[..] {
            return Self::field(status, pointer, detail);
        }
        let all = wrong.len();
        let errors: Vec<Wrong> = wrong.into_iter().take(MOST_FIELDS).map(Wrong::cut).collect();
        let sentences: Vec<String> = errors.iter().map(Wrong::sentence).collect();
        let detail = format!("{all} {kind} are wrong: {}", sentences.join("; "));
        Self { errors, ..Self::new(status, &detail) }
    }

    /// 400: the value of a parameter or header is not acceptable.
    #[must_use]
    pub fn invalid(name: &str, detail: &str) -> Self {
        Self::field(Failure::WrongParameter.status(), name, detail)
    }

    /// 404: there is no such thing as `what` names, for example `trip with this id`.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Failure::Unknown.with(&[("what", what)])
    }

    pub(super) fn field(status: StatusCode, pointer: &str, detail: &str) -> Self {
        let wrong = Wrong { pointer: pointer.to_owned(), detail: detail.to_owned() }.cut();
        let sentence = wrong.sentence();
        Self { errors: vec![wrong], ..Self::new(status, &sentence) }
    }

    /// The request is for another host, or from a web page of another origin. The problem names the header that says so.
    pub(crate) fn foreign(foreign: &Foreign) -> Self {
        Self::field(foreign.status(), foreign.header(), &foreign.to_string())
    }

    /// Closes the connection after the answer.
    pub(crate) fn and_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// Adds the header `Retry-After` with so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl Wrong {
    fn sentence(&self) -> String {
        let name = if self.pointer.is_empty() { "the body" } else { &self.pointer };
        format!("{name} {}", self.detail)
    }

    fn cut(self) -> Self {
        Self {
            pointer: cut(&self.pointer, LONGEST_NAME).into_owned(),
            detail: cut(&self.detail, LONGEST_DETAIL).into_owned(),
        }
    }
}

/// The text, or its first `longest` characters and an ellipsis.
fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        Self::from(match error {
            CommandError::KeyReused => Failure::KeyReused,
            CommandError::Busy => Failure::Busy,
            CommandError::OutboxFull => Failure::OutboxFull,
            CommandError::DatabaseOutage => Failure::DatabaseOutage,
            CommandError::Stopping => Failure::Stopping,
            CommandError::TimedOut => Failure::CommandTimedOut,
            CommandError::Failed => Failure::Failed,
        })
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.class() == Class::Data {
            tracing::error!(%error, "a stored row cannot be read");
            return Failure::Unreadable.into();
        }
        tracing::warn!(%error, "a request failed because the database is away");
        Self::from(match error {
            StoreError::ReadOnly => Failure::ReadOnly,
            StoreError::LogNotEmptied { .. } => Failure::DatabaseFull,
            _ => Failure::DatabaseAway,
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (retry_after, close) = (self.retry_after, self.close);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_request_does_not_cause_a_long_answer() {
        let long = "x".repeat(240_000);
        let wrong = |n| Wrong { pointer: format!("/{n}/{long}"), detail: long.clone() };
        for problem in [
            Problem::new(StatusCode::BAD_REQUEST, &long),
            Problem::invalid(&long, &long),
            Problem::unprocessable(&long, &long),
            Problem::fields(vec![wrong(1)]),
        ] {
            let sent = serde_json::to_string(&problem).unwrap();
            assert!(sent.len() < 2_000, "{}", sent.len());
        }
        let many = Problem::fields((0..1_000).map(wrong).collect());
        assert_eq!(many.errors.len(), MOST_FIELDS);
        assert!(many.detail.starts_with("1000 fields are wrong: /0/xxx"), "{}", many.detail);
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }

    #[test]
    fn several_wrong_fields_are_listed_in_one_detail() {
        let wrong = |pointer: &str| Wrong { pointer: pointer.into(), detail: "is missing".into() };
        let problem = Problem::fields(vec![wrong("/a"), wrong("/b")]);
        assert_eq!(problem.detail, "2 fields are wrong: /a is missing; /b is missing");
        assert_eq!(problem.errors.len(), 2);
        assert_eq!(Problem::fields(vec![wrong("")]).detail, "the body is missing");
    }
}
