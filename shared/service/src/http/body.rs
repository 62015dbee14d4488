//! Reads the body of a request as JSON, strictly.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};

use super::{Failure, Field, Fields, Fingerprint, Json, Problem, broken_body};

/// A type that a body is read into, by a service with the state `S`.
pub trait FromJson<S>: Sized {
    /// Reads all fields, and notes each that is wrong. It returns `None` only if a field is wrong. Limits that are
    /// configured come from `state`.
    fn read(body: &Field<'_>, state: &S) -> Option<Self>;
}

/// A JSON body, read strictly: a problem names every field that is missing or wrong.
#[derive(Debug)]
pub struct Body<T> {
    /// The value that was read.
    pub value: T,
    /// The hashes by which a repeat under the same idempotency key is compared with the first request.
    pub fingerprint: Fingerprint,
}

impl<T: FromJson<S>, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let head = request.headers();
        require_json(head)?;
        require_plain(head)?;
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| broken_body(&error))?;
        let json = Json::parse(&bytes)?;
        Ok(Self { value: read(&json, state)?, fingerprint: Fingerprint::of(&bytes, &json) })
    }
}

fn read<T: FromJson<S>, S>(json: &Json<'_>, state: &S) -> Result<T, Problem> {
    let fields = Fields::default();
    let value = T::read(&fields.body(json), state);
    fields.finish()?;
    value.ok_or_else(|| Problem::unprocessable("", "cannot be read"))
}

fn require_json(head: &HeaderMap) -> Result<(), Problem> {
    let content_type = text_of(head, &header::CONTENT_TYPE);
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let other = parts.filter_map(|parameter| parameter.split_once('=')).find(|(name, value)| {
        name.eq_ignore_ascii_case("charset")
            && !value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    match (json, other) {
        (true, None) => Ok(()),
        (true, Some(_)) => Err(Failure::NotUtf8.into()),
        (false, _) => Err(Failure::NotDeclared.into()),
    }
}

fn require_plain(head: &HeaderMap) -> Result<(), Problem> {
    let encoding = text_of(head, &header::CONTENT_ENCODING);
    if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    Err(Failure::Compressed.into())
}

fn text_of<'h>(head: &'h HeaderMap, name: &header::HeaderName) -> &'h str {
    // A header that is no ASCII text has no supported value either.
    head.get(name).map_or("", |value| value.to_str().unwrap_or("unreadable").trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(headers: &[(header::HeaderName, &str)]) -> Option<u16> {
        let head: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        require_json(&head).and_then(|()| require_plain(&head)).err().map(|problem| problem.status)
    }

    #[test]
    fn only_plain_json_in_utf_8_is_taken() {
        let with = |kind| status(&[(header::CONTENT_TYPE, kind)]);
        for right in
            ["application/json", "Application/JSON; charset=\"UTF-8\"", "application/json;x=y"]
        {
            assert_eq!(with(right), None, "{right}");
        }
        for wrong in ["", "text/plain", "application/json; charset=latin1"] {
            assert_eq!(with(wrong), Some(415), "{wrong}");
        }
        let encoded = |encoding| {
            let json = (header::CONTENT_TYPE, "application/json");
            status(&[json, (header::CONTENT_ENCODING, encoding)])
        };
        assert_eq!(encoded("identity"), None);
        for wrong in ["gzip", "br", "identity, gzip"] {
            assert_eq!(encoded(wrong), Some(415), "{wrong}");
        }
    }
}
