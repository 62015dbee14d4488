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

use crate::{http::is_plain, telemetry};

/// Idle connections kept to a provider.
const IDLE_CONNECTIONS: usize = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

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

/// The answer without control characters in its texts: what a stranger sends must fit our tables,
/// and PostgreSQL stores no NUL.
async fn json<B: DeserializeOwned>(response: Response) -> Result<B, Box<dyn Error + Send + Sync>> {
    let mut body: Value = response.json().await?;
    plain(&mut body);
    Ok(serde_json::from_value(body)?)
}

fn plain(value: &mut Value) {
    match value {
        Value::String(text) => text.retain(is_plain),
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
    Attempt::NoAnswer(text)
}

/// The beginning of an unexpected answer, for the log.
async fn excerpt(response: Response) -> String {
    const LONGEST: usize = 200;
    let text = response.text().await.unwrap_or_default();
    text.chars().filter(|c| is_plain(*c)).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use axum::{Router, response::Redirect, routing::any};
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_redirect_is_no_answer() {
        let routes = Router::new()
            .route("/charges", any(|| async { Redirect::to("/elsewhere") }))
            .route("/elsewhere", any(|| async { "{}" }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let charges = format!("http://{}/charges", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes).into_future());
        let definite = |_, _: Value| Some(());
        let (request, id) = (client().unwrap().post(charges), Uuid::nil().into());
        let attempt = answer(request, id, &Trace::default(), definite, &[StatusCode::OK]).await;
        assert_eq!(attempt, Attempt::NoAnswer("303 See Other: ".to_owned()));
    }
}
