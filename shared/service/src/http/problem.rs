use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::CommandError;
use serde::Serialize;
use store::{Class, StoreError};
use utoipa::ToSchema;

/// An error as RFC 9457 has it: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The status code, repeated.
    #[schema(example = 422)]
    pub status: u16,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: String,
    /// What is wrong and what to do about it.
    #[schema(example = "/items/0/quantity must be 1 to 100000000")]
    pub detail: String,
    /// The fields that are wrong.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Wrong>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Wrong {
    /// JSON Pointer (RFC 6901) to it in the body, or the name of a parameter or header.
    #[schema(example = "/items/0/quantity")]
    pub pointer: String,
    /// What is wrong and what would be right.
    #[schema(example = "must be 1 to 100000000")]
    pub detail: String,
}

impl Problem {
    /// A problem without fields.
    #[must_use]
    pub fn new(status: StatusCode, detail: &str) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            detail: detail.to_owned(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// 422: the field at this JSON Pointer cannot be taken.
    #[must_use]
    pub fn unprocessable(pointer: &str, detail: &str) -> Self {
        Self::field(StatusCode::UNPROCESSABLE_ENTITY, pointer, detail)
    }

    /// 429: the field at this JSON Pointer has reached a limit.
    #[must_use]
    pub fn too_many(pointer: &str, detail: &str) -> Self {
        Self::field(StatusCode::TOO_MANY_REQUESTS, pointer, detail)
    }

    /// 400: a parameter or header cannot be taken.
    #[must_use]
    pub fn invalid(name: &str, detail: &str) -> Self {
        Self::field(StatusCode::BAD_REQUEST, name, detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, &format!("there is no {what}"))
    }

    fn field(status: StatusCode, pointer: &str, detail: &str) -> Self {
        let name = if pointer.is_empty() { "the body" } else { pointer };
        Self {
            errors: vec![Wrong { pointer: pointer.to_owned(), detail: detail.to_owned() }],
            ..Self::new(status, &format!("{name} {detail}"))
        }
    }

    /// With a `Retry-After` of so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            CommandError::KeyReused => Self::unprocessable(
                "Idempotency-Key",
                "was used for another request; use a new key for a new request",
            ),
            CommandError::Busy => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests are waiting; send it again later, under the same key",
            )
            .retry_after(1),
            CommandError::OutboxFull => Self::new(
                unavailable,
                "the broker is away and too much waits for it; send it again later",
            )
            .retry_after(5),
            CommandError::Standstill => Self::new(
                unavailable,
                "the database takes no changes at the moment: it is away, or full; send it again later, \
                 under the same key",
            )
            .retry_after(5),
            CommandError::Stopping => {
                Self::new(unavailable, "the service is stopping; send it again, under the same key")
                    .retry_after(1)
            }
            CommandError::TimedOut => Self::new(
                unavailable,
                "the database does not answer; send it again later, under the same key",
            )
            .retry_after(1),
            CommandError::Failed => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the request could not be carried out; the service's log says why",
            ),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.class() == Class::Data {
            tracing::error!(%error, "a stored row cannot be read");
            let detail = "the answer could not be read; the service's log says why";
            return Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail);
        }
        tracing::warn!(%error, "a request met the database away");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer; try again later")
            .retry_after(1)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
