//! Talking to providers over HTTP.

use std::{error::Error, time::Duration};

use contracts::{EffectId, Trace};
use engine::Attempt;
use reqwest::{
    Client, Request, RequestBuilder, Response, StatusCode, header::HeaderValue, redirect::Policy,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::Instrument;

use crate::telemetry;

/// Idle connections kept to a provider.
const IDLE_CONNECTIONS: usize = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;
/// The longest text of an answer that is kept, in characters.
const LONGEST_TEXT: usize = 500;

/// A client for a provider. Attempts are bounded by the engine, connecting by two seconds. A redirect is
/// no answer: what a POST becomes on its way is not for others to decide.
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

/// Sends a request under its idempotency key, with its trace; decides by `definite` what the
/// answer means. A status for which that says `None` is no answer.
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
        Err(error) => return no_answer(&error),
    };
    let status = response.status();
    if !decides.contains(&status) {
        return Attempt::NoAnswer(format!("{status}: {}", excerpt(response).await));
    }
    match json(response).await {
        Ok(body) => definite(status, body).map_or_else(
            || Attempt::NoAnswer(format!("{status} with an answer that decides nothing")),
            Attempt::Answered,
        ),
        Err(error) => no_answer(&*error),
    }
}

/// Sends a request within a span of its own, if its trace is sampled.
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

/// The answer with short texts without control characters: a provider's answer must fit our tables,
/// and PostgreSQL stores no NUL.
async fn json<B: DeserializeOwned>(response: Response) -> Result<B, Box<dyn Error + Send + Sync>> {
    let bytes = read(response, LONGEST_ANSWER).await?;
    if bytes.len() > LONGEST_ANSWER {
        return Err(format!("the answer has more than {LONGEST_ANSWER} bytes").into());
    }
    let mut body: Value = serde_json::from_slice(&bytes)?;
    plain(&mut body);
    Ok(serde_json::from_value(body)?)
}

/// Reads until there are more bytes than these, or no more at all.
async fn read(mut response: Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() <= most
        && let Some(chunk) = response.chunk().await?
    {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Cuts a text to what is kept of it.
fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(end);
    }
}

fn plain(value: &mut Value) {
    match value {
        Value::String(text) => {
            text.retain(|c| !c.is_control());
            cut(text);
        }
        Value::Array(values) => values.iter_mut().for_each(plain),
        Value::Object(fields) => fields.values_mut().for_each(plain),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An attempt that failed on the way.
pub fn no_answer<O>(error: &(dyn Error + 'static)) -> Attempt<O> {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    cut(&mut text);
    Attempt::NoAnswer(text)
}

/// The beginning of an unexpected answer, for the log.
async fn excerpt(response: Response) -> String {
    let bytes = read(response, 4 * LONGEST_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, response::Redirect, routing::any};
    use futures::stream;
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    /// What is made of the answer of a provider with these routes, which decides by 200 and a `reference`.
    async fn asked(routes: Router) -> Attempt<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let charges = format!("http://{}/charges", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes).into_future());
        let definite = |_, body: Value| Some(body["reference"].as_str()?.to_owned());
        let (request, id) = (client().unwrap().post(charges), Uuid::nil().into());
        answer(request, id, &Trace::default(), definite, &[StatusCode::OK]).await
    }

    /// A provider whose answer never ends, with this status.
    fn endless(status: StatusCode) -> Router {
        let piece = || Ok::<_, std::io::Error>(vec![b'x'; 8192]);
        let body = move || async move { (status, Body::from_stream(stream::repeat_with(piece))) };
        Router::new().route("/charges", any(body))
    }

    #[tokio::test]
    async fn a_redirect_is_no_answer() {
        let routes = Router::new()
            .route("/charges", any(|| async { Redirect::to("/elsewhere") }))
            .route("/elsewhere", any(|| async { "{}" }));
        assert_eq!(asked(routes).await, Attempt::NoAnswer("303 See Other: ".to_owned()));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_read_in_part() {
        let too_long = "the answer has more than 65536 bytes".to_owned();
        assert_eq!(asked(endless(StatusCode::OK)).await, Attempt::NoAnswer(too_long));
        let status = StatusCode::BAD_GATEWAY;
        let Attempt::NoAnswer(text) = asked(endless(status)).await else { panic!("an answer") };
        assert_eq!(text, format!("{status}: {}", "x".repeat(500)));
    }

    #[tokio::test]
    async fn texts_of_an_answer_are_cut_between_characters() {
        let reference = format!("\u{0}{}", "ü".repeat(1_000));
        let body = serde_json::json!({ "reference": reference }).to_string();
        let routes = Router::new().route("/charges", any(|| async { body }));
        assert_eq!(asked(routes).await, Attempt::Answered("ü".repeat(500)));
    }
}
