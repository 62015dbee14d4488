//! Extractors: what a route reads from the head of a request.

use std::{borrow::Cow, convert::Infallible};

use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, request::Parts},
};
use engine::{IdempotencyKey, Key, Participant, trace::link};
use event::{Contract, Trace};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use utoipa::IntoParams;

use super::{Fingerprint, Problem, Wrong, problem::MOST_FIELDS};
use crate::{App, telemetry::RequestTrace};

/// The longest idempotency key that is accepted, in characters.
const LONGEST_KEY: usize = 255;

/// The `Idempotency-Key` header (IETF draft-ietf-httpapi-idempotency-key-header), if there is one.
/// Quotes around it are optional.
#[derive(Debug, Clone, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct Idempotency {
    /// A key for this request. A repeat under the same key within 24 hours gets the first answer again.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        pattern = "^(\"[ !#-~]{1,255}\"|[!#-~]([ !#-~]{0,253}[!#-~])?)$"
    )]
    key: Option<String>,
}

impl Idempotency {
    /// The key for the engine: that of the request within its route, with the hashes by which bodies are compared. Once
    /// callers authenticate themselves, `route` has to name the caller as well, or one caller could read another's answer.
    #[must_use]
    pub fn key(self, route: &str, body: Fingerprint) -> Option<IdempotencyKey> {
        let Fingerprint { canonical: hash, sent } = body;
        self.key.map(|key| IdempotencyKey { key: format!("{route} {key}"), hash, sent })
    }

    /// As [`Idempotency::key`], for a route that is not idempotent by itself and therefore requires a key.
    ///
    /// # Errors
    /// 400 if the request has no key.
    pub fn required(self, route: &str, body: Fingerprint) -> Result<IdempotencyKey, Problem> {
        self.key(route, body).ok_or_else(|| {
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
        let wrong_length = key.is_empty() || key.len() > LONGEST_KEY;
        if wrong_length || key.contains('"') || values.next().is_some() {
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
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // `telemetry::observe`, the layer around all routes, has put it there.
        let request = parts.extensions.get::<RequestTrace>();
        Ok(Self(request.map_or_else(Trace::default, |request| request.trace.clone())))
    }
}

/// The trace of a request about something that has a trace of its own, such as an aggregate.
#[derive(Debug, Clone)]
pub struct LinkedTrace(Option<RequestTrace>);

impl LinkedTrace {
    /// Links the request's span with the trace `other`, and returns the trace of the events that follow from the
    /// request. That is `other`, so that an aggregate's events are sampled together; unless the caller records a trace
    /// of its own, in which it expects to see them.
    #[must_use]
    pub fn with(self, other: Trace) -> Trace {
        let Some(RequestTrace { trace, span, begins_here }) = self.0 else { return other };
        link(&span, &other);
        let caller_records = !begins_here && trace.is_sampled();
        if caller_records || other.trace_id().is_none() { trace } else { other }
    }
}

impl<S: Sync> FromRequestParts<S> for LinkedTrace {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<RequestTrace>().cloned()))
    }
}

/// The aggregate's id in the path.
#[derive(Debug, Clone, Copy)]
pub struct AggregatePath<K>(pub K);

impl<P: Participant> FromRequestParts<App<P>> for AggregatePath<Key<P>> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &App<P>) -> Result<Self, Problem> {
        let wrong = || {
            let noun = noun::<P::Contract>();
            let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            Problem::invalid("id", &format!("must be {article} {noun}'s id, a UUID"))
        };
        let Path(id) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| wrong())?;
        id.parse().map(Self).map_err(|_| wrong())
    }
}

/// The noun for an aggregate, from the name of the contract's key: `trip` from `trip_id`.
pub(crate) fn noun<C: Contract>() -> &'static str {
    C::KEY_FIELD.strip_suffix("_id").unwrap_or(C::KEY_FIELD)
}

/// The query string. A problem names the parameter.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = parts.uri.query().unwrap_or_default();
        read(given).map(Self).map_err(|first| Problem::parameters(all_wrong::<T>(given, first)))
    }
}

/// Reads all parameters.
///
/// # Errors
/// The first parameter that is wrong.
fn read<T: DeserializeOwned>(query: &str) -> Result<T, Wrong> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let read = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs));
    read.map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        // The path of the error is empty for a parameter that is given twice or missing. Then its name is only in the
        // message, in backquotes.
        let quoted = message.split('`').nth(1).filter(|_| path == ".");
        Wrong { pointer: quoted.unwrap_or(&path).to_owned(), detail: fault(&message) }
    })
}

/// All parameters that are wrong, up to [`MOST_FIELDS`]. Reading ends at the first wrong one, so each is left out in turn
/// to find the next.
fn all_wrong<T: DeserializeOwned>(query: &str, first: Wrong) -> Vec<Wrong> {
    let mut rest: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(query.as_bytes()).collect();
    let mut wrong = vec![first];
    while wrong.len() < MOST_FIELDS
        && let Some(last) = wrong.last()
    {
        rest.retain(|(name, _)| *name != last.pointer);
        let others = form_urlencoded::Serializer::new(String::new()).extend_pairs(&rest).finish();
        match read::<T>(&others) {
            Err(next) if wrong.iter().all(|known| known.pointer != next.pointer) => {
                wrong.push(next);
            }
            // No other parameter is wrong, or the one that was left out is reported as missing.
            _ => break,
        }
    }
    wrong
}

/// Reads the `limit` of a listing, 1 to `MOST`; for serde's `deserialize_with`.
///
/// # Errors
/// If it is no whole number in this range.
pub fn limit<'de, const MOST: i64, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let limit = i64::deserialize(from)?;
    let in_range = (1..=MOST).contains(&limit);
    in_range.then_some(Some(limit)).ok_or_else(|| D::Error::custom(format!("must be 1 to {MOST}")))
}

/// Turns serde's message about a parameter into the rest of a sentence that begins with the parameter's name.
fn fault(message: &str) -> String {
    let names = || {
        let expected = message.split_once("expected ").map_or("", |(_, expected)| expected);
        expected.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(", ")
    };
    if message.starts_with("must be ") {
        message.to_owned()
    } else if message.starts_with("duplicate field") {
        "is given twice; give it once".to_owned()
    } else if message.starts_with("missing field") {
        "is missing".to_owned()
    } else if message.starts_with("unknown field") {
        format!("is no parameter of this route; there are {}", names())
    } else if message.starts_with("unknown variant") {
        format!("must be one of {}", names())
    } else if message.contains("`true` or `false`") {
        "must be true or false".to_owned()
    } else if message.contains("digit") || message.contains("integer") || message.contains("number")
    {
        "must be a whole number".to_owned()
    } else {
        format!("cannot be read: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_belong_to_the_linked_trace_unless_the_caller_records_its_own() {
        let trace = |id: u8, sampled| Trace::root([id; 16], [id; 8], sampled);
        let joined = |begins_here, own: &Trace, other: &Trace| {
            let (trace, span) = (own.clone(), tracing::Span::none());
            LinkedTrace(Some(RequestTrace { trace, span, begins_here })).with(other.clone())
        };
        for sampled in [false, true] {
            let linked = trace(1, sampled);
            assert_eq!(joined(true, &trace(2, true), &linked), linked, "sampled by the service");
            assert_eq!(joined(false, &trace(2, false), &linked), linked);
            assert_eq!(joined(false, &trace(2, true), &linked), trace(2, true));
        }
        let unknown = Trace::default();
        assert_eq!(joined(true, &trace(2, true), &unknown), trace(2, true));
    }

    fn parse(values: &[&'static str]) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", value.parse().unwrap());
        }
        Idempotency::parse(&headers).map(|key| key.key).map_err(|problem| problem.status)
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Page {
        state: Option<State>,
        late: Option<bool>,
        limit: Option<i64>,
        code: Option<char>,
        from: u8,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum State {
        Open,
        Ended,
    }

    #[tokio::test]
    async fn a_wrong_parameter_is_described_in_a_sentence() {
        for (query, detail) in [
            ("from=1&state=x", "state must be one of open, ended"),
            ("from=1&late=x", "late must be true or false"),
            ("from=1&limit=x", "limit must be a whole number"),
            ("from=1&limit=", "limit must be a whole number"),
            ("from=1&limit=99999999999999999999", "limit must be a whole number"),
            ("from=1&from=2", "from is given twice; give it once"),
            ("limit=1", "from is missing"),
            (
                "from=1&x=1",
                "x is no parameter of this route; there are state, late, limit, code, from",
            ),
        ] {
            let request = axum::http::Request::get(format!("/?{query}")).body(()).unwrap();
            let (mut parts, ()) = request.into_parts();
            let read = Query::<Page>::from_request_parts(&mut parts, &()).await;
            assert_eq!(read.unwrap_err().detail, detail, "{query}");
        }
        let request = axum::http::Request::get("/?from=1&code=a%20b").body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let wrong = Query::<Page>::from_request_parts(&mut parts, &()).await.unwrap_err();
        assert!(wrong.detail.starts_with("code cannot be read: "), "{}", wrong.detail);
    }

    #[tokio::test]
    async fn every_wrong_parameter_is_listed() {
        let query = "/?limit=x&from=1&from=2&state=x&x=1&late=true&limit=y";
        let (mut parts, ()) = axum::http::Request::get(query).body(()).unwrap().into_parts();
        let wrong = Query::<Page>::from_request_parts(&mut parts, &()).await.unwrap_err();
        let named = wrong.errors.iter().map(|wrong| wrong.pointer.as_str());
        assert_eq!(
            (wrong.status, named.collect::<Vec<_>>()),
            (400, vec!["limit", "from", "state", "x"])
        );
        let detail = "4 parameters are wrong: limit must be a whole number; from is given twice; ";
        assert!(wrong.detail.starts_with(detail), "{}", wrong.detail);
        let many: Vec<String> = (0..1_000).map(|n| format!("x{n}=1")).collect();
        let (mut parts, ()) = axum::http::Request::get(format!("/?{}", many.join("&")))
            .body(())
            .unwrap()
            .into_parts();
        let wrong = Query::<Page>::from_request_parts(&mut parts, &()).await.unwrap_err();
        assert_eq!(wrong.errors.len(), MOST_FIELDS);
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
