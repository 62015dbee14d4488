//! The HTTP client of the commands: JSON both ways, problems (RFC 9457) as errors, and repeats where they are safe.

#[cfg(test)]
mod tests;

use reqwest::header::{ACCEPT, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The time-out of a request. A service that works well answers sooner.
pub const TIME_OUT: Duration = Duration::from_secs(10);
/// A trace context whose flags tell the service to record nothing.
const UNSAMPLED: &str = "00-00000000000000000000000000000001-0000000000000001-00";
/// The time-out of an event stream. A longer stream is resumed.
const STREAM: Duration = Duration::from_hours(24);
/// The pauses between repeats: doubling from the first to the last.
pub const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// See [`FIRST_PAUSE`].
pub const LAST_PAUSE: Duration = Duration::from_secs(2);

/// A client of the suite's HTTP interfaces.
#[derive(Clone, Debug)]
pub struct Api {
    client: reqwest::Client,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: &'a str,
    /// The JSON body.
    pub body: Option<&'a Value>,
    /// The `Idempotency-Key`, under which a repeat changes nothing.
    pub idempotency_key: Option<&'a str>,
}

/// A request has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server did not answer in time, or not at all.
    #[error("{url} does not answer: {why}")]
    NoAnswer {
        /// The URL that was requested.
        url: String,
        /// Whether the request timed out, so that it may still be carried out.
        timed_out: bool,
        /// The cause.
        why: String,
    },
    /// The service refused the request.
    #[error("{detail} ({status})")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// The service's reason.
        detail: String,
        /// After how long the service wants the request repeated.
        retry_after: Option<Duration>,
    },
    /// The answer has another form than this version expects.
    #[error("{url} answered something unexpected: {why}")]
    Unexpected {
        /// The URL that was requested.
        url: String,
        /// What is wrong with the answer.
        why: String,
    },
}

/// The members of a problem (RFC 9457) that are shown.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Error {
    /// Whether a repeat of the request may succeed.
    #[must_use]
    pub fn is_worth_a_repeat(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Refused { status, .. } => {
                matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Unexpected { .. } => false,
        }
    }

    /// The error without the URL, for messages that name the server otherwise.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::NoAnswer { why, .. } | Self::Unexpected { why, .. } => why.clone(),
            Self::Refused { .. } => self.to_string(),
        }
    }

    /// The same error with `name` in place of the URL.
    #[must_use]
    pub fn said_by(self, name: &str) -> Self {
        let url = name.to_owned();
        match self {
            Self::NoAnswer { timed_out, why, .. } => Self::NoAnswer { url, timed_out, why },
            Self::Unexpected { why, .. } => Self::Unexpected { url, why },
            refused @ Self::Refused { .. } => refused,
        }
    }

    /// After how long the service wants the request repeated.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Refused { retry_after, .. } = self { *retry_after } else { None }
    }
}

impl Api {
    /// A client that ignores the environment's proxies, since the suite's services are not behind them.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn new() -> anyhow::Result<Self> {
        Self::waiting(TIME_OUT)
    }

    /// A client with another time-out than [`TIME_OUT`], for services that are kept busy.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn waiting(time_out: Duration) -> anyhow::Result<Self> {
        Ok(Self { client: reqwest::Client::builder().no_proxy().timeout(time_out).build()? })
    }

    /// A client whose requests are not traced by the services. It is for polling, whose traces would hide others.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn untraced() -> anyhow::Result<Self> {
        let headers =
            [(HeaderName::from_static("traceparent"), HeaderValue::from_static(UNSAMPLED))];
        let builder = reqwest::Client::builder().no_proxy().timeout(TIME_OUT);
        Ok(Self { client: builder.default_headers(headers.into_iter().collect()).build()? })
    }

    /// A client of the server that listens on this Unix socket.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn over(socket: &Path, time_out: Duration) -> anyhow::Result<Self> {
        let builder = reqwest::Client::builder().unix_socket(socket).timeout(time_out);
        Ok(Self { client: builder.build()? })
    }

    /// Whether a GET request succeeds.
    pub async fn is_ok(&self, url: &str) -> bool {
        self.client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Gets JSON.
    ///
    /// # Errors
    /// If there is no answer, the service refuses, or the answer is no `T`.
    pub async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Error> {
        let request = Request { method: Method::GET, url, body: None, idempotency_key: None };
        self.send(&request, None).await
    }

    /// Gets text.
    ///
    /// # Errors
    /// If there is no answer, or the service refuses.
    pub async fn text(&self, url: &str) -> Result<String, Error> {
        let answer = self.client.get(url).send().await.map_err(|error| no_answer(url, &error))?;
        accepted(url, answer).await?.text().await.map_err(|error| no_answer(url, &error))
    }

    /// Sends a request until there is a definite answer, or `patience` is over. The request must be safe to repeat.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn send_until_answered<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        patience: Duration,
    ) -> Result<T, Error> {
        self.send_to_any(&[request.url.to_owned()], request, patience).await
    }

    /// As [`Self::send_until_answered`], for a request that any of several replicas can answer: each attempt goes to the
    /// next of `urls`.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn send_to_any<T: DeserializeOwned>(
        &self,
        urls: &[String],
        request: &Request<'_>,
        patience: Duration,
    ) -> Result<T, Error> {
        let give_up = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        let mut urls = urls.iter().cycle();
        loop {
            let url = urls.next().map_or(request.url, String::as_str);
            let request = Request { url, ..request.clone() };
            let error = match self.send(&request, None).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = error.retry_after().unwrap_or(pause);
            if !error.is_worth_a_repeat() || Instant::now() + wait > give_up {
                return Err(error);
            }
            sleep(wait).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Sends a request once. `time_out` overrides that of the client.
    ///
    /// # Errors
    /// If there is no answer, the service refuses, or the answer is no `T`.
    pub async fn send<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        time_out: Option<Duration>,
    ) -> Result<T, Error> {
        let mut builder = self.client.request(request.method.clone(), request.url);
        if let Some(body) = request.body {
            builder = builder.json(body);
        }
        if let Some(key) = request.idempotency_key {
            builder = builder.header("Idempotency-Key", key);
        }
        if let Some(time_out) = time_out {
            builder = builder.timeout(time_out);
        }
        let url = request.url;
        let answer = builder.send().await.map_err(|error| no_answer(url, &error))?;
        let bytes = accepted(url, answer).await?.bytes().await;
        let bytes = bytes.map_err(|error| no_answer(url, &error))?;
        // An answer without a body is read as null, which callers that expect none accept.
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes)
            .map_err(|error| Error::Unexpected { url: url.to_owned(), why: error.to_string() })
    }
}

impl Api {
    /// Opens a stream of server-sent events. It begins after the event with the id `after`, if one is given.
    ///
    /// # Errors
    /// If there is no answer, or the service refuses.
    pub async fn stream(&self, url: &str, after: Option<i64>) -> Result<Response, Error> {
        let mut builder = self.client.get(url).header(ACCEPT, "text/event-stream").timeout(STREAM);
        if let Some(id) = after {
            builder = builder.header("Last-Event-ID", id);
        }
        let answer = builder.send().await.map_err(|error| no_answer(url, &error))?;
        accepted(url, answer).await
    }
}

/// The URL with a query. A text that is no URL is returned as it is, and the request to it will fail.
pub fn with_query(url: &str, query: impl Iterator<Item = (&'static str, String)>) -> String {
    Url::parse_with_params(url, query).map_or_else(|_| url.to_owned(), String::from)
}

/// The answer if its status is a success, else the service's refusal.
async fn accepted(url: &str, answer: Response) -> Result<Response, Error> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let retry_after = answer.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = answer.bytes().await.map_err(|error| no_answer(url, &error))?;
    let (detail, retry_after) = (detail(&bytes, status), retry_after.map(Duration::from_secs));
    Err(Error::Refused { status, detail, retry_after })
}

fn no_answer(url: &str, error: &reqwest::Error) -> Error {
    let mut why: &dyn std::error::Error = error;
    // Only the innermost cause is informative: "Connection refused".
    while let Some(source) = why.source() {
        why = source;
    }
    Error::NoAnswer { url: url.to_owned(), timed_out: error.is_timeout(), why: why.to_string() }
}

fn detail(body: &[u8], status: StatusCode) -> String {
    let problem = serde_json::from_slice::<Problem>(body).ok();
    problem
        .and_then(|problem| problem.detail.or(problem.title))
        .unwrap_or_else(|| status.canonical_reason().unwrap_or("refused").to_owned())
}
