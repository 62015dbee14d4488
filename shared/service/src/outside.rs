//! Sends requests to providers over HTTP, and decides which answers are definite.

mod reference;

use std::{error::Error, time::Duration};

use engine::Attempt;
use event::{EffectId, Trace};
use reqwest::{
    Client, Request, RequestBuilder, Response, StatusCode, header::HeaderValue, redirect::Policy,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::Instrument;

pub use reference::{Reference, UnusableReference};

use crate::{http::is_plain, telemetry};

/// How many idle connections to a provider stay open.
const IDLE_CONNECTIONS: usize = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;
/// The longest text of an answer that is stored, in characters.
const LONGEST_TEXT: usize = 500;

/// Makes a client for a provider. The engine bounds the time of an attempt; this client bounds connecting to two
/// seconds. It follows no redirect, since many clients turn a redirected POST into a GET (RFC 9110 §15.4): a redirect
/// is no answer.
///
/// # Errors
/// If the TLS backend or the resolver cannot be set up.
pub fn client() -> reqwest::Result<Client> {
    Client::builder()
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy()
        .redirect(Policy::none())
        .build()
}

/// Sends a request under its idempotency key and with its trace, and decides what the answer means:
///
/// - A status in `decides` with a body for which `definite` returns `Some` is the definite answer. `None`, a body that
///   cannot be read, and no answer at all are [`Attempt::NoAnswer`]: the engine asks again.
/// - Any other status of class 4xx is [`Attempt::Refused`]: the request itself is wrong, so that asking again soon is
///   pointless. The exceptions are statuses about the caller (401, 402, 403, 407), the address (404, 410, 421), or the
///   time and rate of requests (408, 409, 423, 424, 425, 429).
/// - Every other status is [`Attempt::NoAnswer`].
///
/// Texts of the answer are cut to the length that is stored. A name that the provider has given, which must not be cut,
/// is to be read as a [`Reference`].
pub async fn answer<B: DeserializeOwned, O>(
    request: RequestBuilder,
    id: EffectId,
    trace: &Trace,
    definite: impl FnOnce(StatusCode, B) -> Option<O>,
    decides: &[StatusCode],
) -> Attempt<O> {
    let (client, request) = request.header("idempotency-key", id.to_string()).build_split();
    let sent = match request {
        Ok(request) => send(&client, request, trace).await,
        Err(error) => Err(error),
    };
    let response = match sent {
        Ok(response) => response,
        // The request cannot be built, for example because of a header value. Another attempt would fail alike.
        Err(error) if error.is_builder() => return Attempt::Refused(causes(&error)),
        Err(error) => return no_answer(&error),
    };
    let status = response.status();
    if !decides.contains(&status) {
        let why = format!("{status}: {}", excerpt(response).await);
        return if is_malformed(status) { Attempt::Refused(why) } else { Attempt::NoAnswer(why) };
    }
    match json(response).await {
        Ok(body) => definite(status, body).map_or_else(
            || Attempt::NoAnswer(format!("{status} with an answer that decides nothing")),
            Attempt::Answered,
        ),
        Err(error) => no_answer(&*error),
    }
}

/// Whether a status that decides nothing refuses the request itself. A client error does (RFC 9110 §15.5), with the
/// exceptions that [`answer`] lists. An unknown status of class 4xx counts as 400 (RFC 9110 §15).
fn is_malformed(status: StatusCode) -> bool {
    const TRANSIENT: [u16; 13] = [401, 402, 403, 404, 407, 408, 409, 410, 421, 423, 424, 425, 429];
    status.is_client_error() && !TRANSIENT.contains(&status.as_u16())
}

/// Sends a request, within a span of its own if its trace is sampled.
async fn send(client: &Client, mut request: Request, trace: &Trace) -> reqwest::Result<Response> {
    let traced = telemetry::client(trace, &request);
    let Trace { traceparent, tracestate } = traced.trace;
    for (name, value) in [("traceparent", traceparent), ("tracestate", tracestate)] {
        if let Some(value) = value.and_then(|text| HeaderValue::try_from(text).ok()) {
            request.headers_mut().insert(name, value);
        }
    }
    let sent = client.execute(request).instrument(traced.span.clone()).await;
    match &sent {
        Ok(response) => telemetry::answered(&traced.span, response.status()),
        Err(error) => telemetry::failed(&traced.span, error),
    }
    sent
}

/// Reads the body of an answer. Its texts are cut and lose their control characters, because they are stored in tables
/// and PostgreSQL stores no NUL. A [`Reference`] is checked before texts are cut.
async fn json<B: DeserializeOwned>(response: Response) -> Result<B, Box<dyn Error + Send + Sync>> {
    let bytes = read(response, LONGEST_ANSWER).await?;
    if bytes.len() > LONGEST_ANSWER {
        return Err(format!("the answer has more than {LONGEST_ANSWER} bytes").into());
    }
    let mut body: Value = serde_json::from_slice(&bytes)?;
    if !is_storable(&body) {
        // Fails if a `Reference` is among the texts that would be changed.
        B::deserialize(&body)?;
        make_storable(&mut body);
    }
    Ok(serde_json::from_value(body)?)
}

/// Reads a body to its end, or until it has more than `most` bytes.
async fn read(mut response: Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() <= most
        && let Some(chunk) = response.chunk().await?
    {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Cuts a text to the length that is stored.
fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(end);
    }
}

/// Whether [`make_storable`] would leave the value as it is.
fn is_storable(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.chars().all(is_plain) && text.char_indices().nth(LONGEST_TEXT).is_none()
        }
        Value::Array(values) => values.iter().all(is_storable),
        Value::Object(fields) => fields.values().all(is_storable),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Cuts all texts in the value and removes their control characters.
fn make_storable(value: &mut Value) {
    match value {
        Value::String(text) => {
            text.retain(is_plain);
            cut(text);
        }
        Value::Array(values) => values.iter_mut().for_each(make_storable),
        Value::Object(fields) => fields.values_mut().for_each(make_storable),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The outcome of an attempt that brought no answer because of this error.
pub fn no_answer<O>(error: &(dyn Error + 'static)) -> Attempt<O> {
    Attempt::NoAnswer(causes(error))
}

/// An error and its causes in one line.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    cut(&mut text);
    text
}

/// The beginning of an unexpected answer, for the log.
async fn excerpt(response: Response) -> String {
    let bytes = read(response, 4 * LONGEST_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.chars().filter(|c| is_plain(*c)).take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, extract::Path, response::Redirect, routing::any};
    use futures::stream;
    use serde_json::json;
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    /// Serves `routes` and asks them once at this path. The statuses 200 and 409 decide if their body is an object.
    async fn ask(routes: Router, path: &str) -> Attempt<bool> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes).into_future());
        let definite = |status, body: Value| body.is_object().then_some(status == StatusCode::OK);
        let (request, id) = (client().unwrap().post(url), Uuid::nil().into());
        let decides = [StatusCode::OK, StatusCode::CONFLICT];
        answer(request, id, &Trace::default(), definite, &decides).await
    }

    /// The attempt at a provider with these routes, which decides by 200 and a `reference`.
    async fn attempt_for_a_reference(routes: Router) -> Attempt<String> {
        attempt(routes, |_, body: Value| Some(body["reference"].as_str()?.to_owned())).await
    }

    /// The attempt at a provider with these routes, which decides by 200 and `definite`.
    async fn attempt<B: DeserializeOwned>(
        routes: Router,
        definite: impl FnOnce(StatusCode, B) -> Option<String>,
    ) -> Attempt<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bookings = format!("http://{}/bookings", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes).into_future());
        let (request, id) = (client().unwrap().post(bookings), Uuid::nil().into());
        answer(request, id, &Trace::default(), definite, &[StatusCode::OK]).await
    }

    /// A provider that answers with 200 and this body.
    fn answering(body: Value) -> Router {
        Router::new().route("/bookings", any(|| async { axum::Json(body) }))
    }

    /// A provider that answers with this status and a body that never ends.
    fn endless(status: StatusCode) -> Router {
        let piece = || Ok::<_, std::io::Error>(vec![b'x'; 8192]);
        let body = move || async move { (status, Body::from_stream(stream::repeat_with(piece))) };
        Router::new().route("/bookings", any(body))
    }

    #[tokio::test]
    async fn a_redirect_is_no_answer() {
        let routes = Router::new()
            .route("/bookings", any(|| async { Redirect::to("/elsewhere") }))
            .route("/elsewhere", any(|| async { "{}" }));
        let attempt = ask(routes, "/bookings").await;
        assert_eq!(attempt, Attempt::NoAnswer("303 See Other: ".to_owned()));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_read_in_part() {
        let too_long = "the answer has more than 65536 bytes".to_owned();
        let decided = attempt_for_a_reference(endless(StatusCode::OK)).await;
        assert_eq!(decided, Attempt::NoAnswer(too_long));
        let status = StatusCode::BAD_GATEWAY;
        let failed = attempt_for_a_reference(endless(status)).await;
        let Attempt::NoAnswer(text) = failed else { panic!("a definite answer: {failed:?}") };
        assert_eq!(text, format!("{status}: {}", "x".repeat(500)));
    }

    #[tokio::test]
    async fn a_reference_that_would_be_cut_or_changed_decides_nothing() {
        #[derive(serde::Deserialize)]
        #[serde(tag = "status", rename_all = "snake_case")]
        enum Answer {
            Booked { reference: Reference },
        }
        let definite = |_, Answer::Booked { reference }| Some(reference.into());
        let (longest, too_long) = ("ü".repeat(LONGEST_TEXT), "x".repeat(5_000));
        for usable in ["ch_1", &longest] {
            let body = json!({ "status": "booked", "reference": usable });
            let attempt = attempt(answering(body), definite).await;
            assert_eq!(attempt, Attempt::Answered(usable.into()));
        }
        for (reference, why) in [
            ("", "must be a text"),
            ("\u{0}\u{202e}", "holds U+0000"),
            ("ch_\u{202e}1", "holds U+202E"),
            (&too_long, "has 5000 characters"),
        ] {
            let body = json!({ "status": "booked", "reference": reference });
            let attempt = attempt(answering(body), definite).await;
            let Attempt::NoAnswer(error) = attempt else { panic!("{reference:?}: {attempt:?}") };
            assert!(error.starts_with(&format!("the provider's reference {why}")), "{error}");
        }
    }

    #[tokio::test]
    async fn texts_of_an_answer_are_cut_between_characters() {
        let reference = format!("\u{0}{}", "ü".repeat(1_000));
        let routes = answering(json!({ "reference": reference }));
        assert_eq!(attempt_for_a_reference(routes).await, Attempt::Answered("ü".repeat(500)));
    }

    /// A provider that answers with the status in the path: below `/x` with a body that decides nothing, else with one
    /// that decides.
    fn any_status() -> Router {
        let answer =
            |status: u16, body: Value| (StatusCode::from_u16(status).unwrap(), axum::Json(body));
        Router::new()
            .route(
                "/{status}",
                any(move |Path(status): Path<u16>| async move { answer(status, json!({})) }),
            )
            .route(
                "/{status}/x",
                any(move |Path(status): Path<u16>| async move { answer(status, json!(1)) }),
            )
    }

    #[tokio::test]
    async fn a_client_error_refuses_the_request_unless_it_is_about_caller_address_or_time() {
        for status in [400, 405, 406, 411, 413, 414, 415, 417, 422, 431, 451, 499] {
            let Attempt::Refused(why) = ask(any_status(), &format!("/{status}")).await else {
                panic!("{status} does not count as a refusal of the request");
            };
            assert!(why.starts_with(&status.to_string()) && why.ends_with(": {}"), "{why}");
        }
        let transient = [
            202, 302, 401, 402, 403, 404, 407, 408, 410, 421, 423, 424, 425, 429, 500, 501, 502,
            503, 504, 505, 599,
        ];
        for status in transient {
            let attempt = ask(any_status(), &format!("/{status}")).await;
            assert!(matches!(attempt, Attempt::NoAnswer(_)), "{status}: {attempt:?}");
        }
    }

    #[tokio::test]
    async fn a_deciding_status_is_an_answer_only_with_a_deciding_body() {
        assert_eq!(ask(any_status(), "/200").await, Attempt::Answered(true));
        assert_eq!(ask(any_status(), "/409").await, Attempt::Answered(false));
        for path in ["/200/x", "/409/x"] {
            let attempt = ask(any_status(), path).await;
            assert!(matches!(attempt, Attempt::NoAnswer(_)), "{path}: {attempt:?}");
        }
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_built_is_refused() {
        let request = client().unwrap().post("http://127.0.0.1/bookings").header("x", "\n");
        let definite = |_, _: Value| Some(());
        let id = Uuid::nil().into();
        let attempt = answer(request, id, &Trace::default(), definite, &[]).await;
        assert!(matches!(attempt, Attempt::Refused(_)), "{attempt:?}");
    }
}
