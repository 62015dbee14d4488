use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, request::Parts},
};
use contracts::{OrderId, Trace};
use engine::IdempotencyKey;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Problem;

/// The longest idempotency key that is taken, in characters.
const LONGEST_KEY: usize = 255;

/// The `Idempotency-Key` header (IETF draft-ietf-httpapi-idempotency-key-header), if there is one.
/// Quotes around it are optional.
#[derive(Debug, Clone, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct Idempotency {
    /// A repeat under the same key within 24 hours gets the first answer again.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        pattern = "^(\"[ !#-~]{1,255}\"|[!#-~]([ !#-~]{0,253}[!#-~])?)$"
    )]
    key: Option<String>,
}

impl Idempotency {
    /// The key as the engine knows it: of one route, with the hash of the body.
    #[must_use]
    pub fn key(self, route: &str, hash: [u8; 32]) -> Option<IdempotencyKey> {
        self.key.map(|key| IdempotencyKey { key: format!("{route} {key}"), hash })
    }

    /// As [`Idempotency::key`], where there has to be one: the request is not idempotent by itself.
    ///
    /// # Errors
    /// 400 if there is none.
    pub fn required(self, route: &str, hash: [u8; 32]) -> Result<IdempotencyKey, Problem> {
        self.key(route, hash).ok_or_else(|| {
            let detail = "is missing; send one, so that a repeat is not carried out twice";
            Problem::invalid("Idempotency-Key", detail)
        })
    }

    fn parse(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(Self { key: None }) };
        let wrong = || {
            let detail = format!("must be one text of 1 to {LONGEST_KEY} printable characters");
            Problem::invalid("Idempotency-Key", &detail)
        };
        let text = value.to_str().map_err(|_| wrong())?.trim();
        let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let key = unquoted.unwrap_or(text);
        let long = key.is_empty() || key.len() > LONGEST_KEY;
        if long || key.contains('"') || values.next().is_some() {
            return Err(wrong());
        }
        Ok(Self { key: Some(key.to_owned()) })
    }
}

impl<S: Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(&parts.headers)
    }
}

/// The request's trace: that of its `traceparent`, or a new one.
#[derive(Debug, Clone)]
pub struct TraceContext(pub Trace);

impl<S: Sync> FromRequestParts<S> for TraceContext {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // The layer around all routes has put it there.
        Ok(Self(parts.extensions.get::<Trace>().cloned().unwrap_or_default()))
    }
}

/// The order's id in the path.
#[derive(Debug, Clone, Copy)]
pub struct OrderPath(pub OrderId);

impl<S: Send + Sync> FromRequestParts<S> for OrderPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = || Problem::invalid("id", "must be an order's id, a UUID");
        let Path(id) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| wrong())?;
        id.parse().map(Self).map_err(|_| wrong())
    }
}

/// The query string. A problem names the parameter.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs));
        query.map(Self).map_err(|error| {
            let (path, message) = (error.path().to_string(), error.inner().to_string());
            // Of a parameter given twice, or not at all, only the message knows the name.
            let quoted = message.split('`').nth(1).filter(|_| path == ".");
            Problem::invalid(quoted.unwrap_or(&path), &message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(values: &[&'static str]) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", value.parse().unwrap());
        }
        Idempotency::parse(&headers).map(|key| key.key).map_err(|problem| problem.status)
    }

    #[test]
    fn quotes_are_optional() {
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(parse(&["abc"]), Ok(Some("abc".into())));
        assert_eq!(parse(&["\"abc\""]), Ok(Some("abc".into())));
    }

    #[test]
    fn an_empty_a_long_or_a_second_key_is_refused() {
        assert_eq!(parse(&[""]), Err(400));
        assert_eq!(parse(&["\"\""]), Err(400));
        assert_eq!(parse(&["\"abc"]), Err(400));
        assert_eq!(parse(&["a", "b"]), Err(400));
        assert_eq!(parse(&["x".repeat(256).leak()]), Err(400));
    }
}
