//! Errors as `application/problem+json` (RFC 9457) that name the field and the fix.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The longest detail in a response, in characters, so that a long input is not sent back.
const LONGEST: usize = 500;

/// Why a request got no definite answer, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status; never one that a provider uses for a definite answer.
    pub status: StatusCode,
    /// What is wrong.
    pub detail: String,
    /// The field, header or parameter that is wrong.
    pub field: Option<String>,
    /// What the caller can do.
    pub fix: &'static str,
}

impl Problem {
    /// An input that is well formed but not acceptable: 422.
    #[must_use]
    pub fn unprocessable(field: &str, detail: impl Into<String>, fix: &'static str) -> Self {
        Self::about(StatusCode::UNPROCESSABLE_ENTITY, field, detail, fix)
    }

    /// An input that cannot be read: 400.
    #[must_use]
    pub fn bad_request(field: &str, detail: impl Into<String>, fix: &'static str) -> Self {
        Self::about(StatusCode::BAD_REQUEST, field, detail, fix)
    }

    /// There is no answer now, but there may be one later: 503.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail: detail.into(),
            field: None,
            fix: "send the same request again under the same idempotency key",
        }
    }

    /// The effect may have happened, but its answer is lost: 504.
    #[must_use]
    pub fn answer_lost() -> Self {
        Self {
            status: StatusCode::GATEWAY_TIMEOUT,
            detail: "the answer was lost on its way".to_owned(),
            field: None,
            fix: "send the same request again under the same idempotency key",
        }
    }

    fn about(
        status: StatusCode,
        field: &str,
        detail: impl Into<String>,
        fix: &'static str,
    ) -> Self {
        Self { status, detail: detail.into(), field: Some(field.to_owned()), fix }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail.chars().take(LONGEST).collect::<String>(),
            "field": self.field,
            "fix": self.fix,
        });
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_input_is_not_sent_back() {
        let problem = Problem::bad_request("body", "x".repeat(240_000), "send less");
        let body = axum::body::to_bytes(problem.into_response().into_body(), 1_000_000).await;
        assert!(body.unwrap().len() < 1_000);
    }
}
