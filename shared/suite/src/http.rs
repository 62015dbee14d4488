//! Asking the services: JSON both ways, problems as errors, and patience where a repeat is safe.

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

/// No request of ours takes longer when all is well.
pub const TIME_OUT: Duration = Duration::from_secs(10);
/// A trace context whose caller has decided that nothing is recorded.
const UNSAMPLED: &str = "00-00000000000000000000000000000001-0000000000000001-00";
/// A stream lasts as long as somebody listens; a day, and it is resumed.
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

/// What to ask.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// How.
    pub method: Method,
    /// Whom.
    pub url: &'a str,
    /// What is sent along, as JSON.
    pub body: Option<&'a Value>,
    /// Under which a repeat changes nothing.
    pub idempotency_key: Option<&'a str>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answered, or not in time.
    #[error("{url} does not answer: {why}")]
    NoAnswer {
        /// What was asked.
        url: String,
        /// Whether an answer may still be on its way.
        timed_out: bool,
        /// What went wrong.
        why: String,
    },
    /// The service said no.
    #[error("{detail} ({status})")]
    Refused {
        /// Of the answer.
        status: StatusCode,
        /// Why.
        detail: String,
        /// When to ask again.
        retry_after: Option<Duration>,
    },
    /// The answer is not what this version expects.
    #[error("{url} answered something unexpected: {why}")]
    Unexpected {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        why: String,
    },
}

/// The part of RFC 9457 that we show.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Error {
    /// Whether the same request may be answered later.
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

    /// Without the URL, where that goes without saying.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::NoAnswer { why, .. } | Self::Unexpected { why, .. } => why.clone(),
            Self::Refused { .. } => self.to_string(),
        }
    }

    /// The same error, which names the server by `name` instead of its URL.
    #[must_use]
    pub fn said_by(self, name: &str) -> Self {
        let url = name.to_owned();
        match self {
            Self::NoAnswer { timed_out, why, .. } => Self::NoAnswer { url, timed_out, why },
            Self::Unexpected { why, .. } => Self::Unexpected { url, why },
            refused @ Self::Refused { .. } => refused,
        }
    }

    /// When the service wants to be asked again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Refused { retry_after, .. } = self { *retry_after } else { None }
    }
}

impl Api {
    /// A client that goes through no proxy: everything it asks is on this machine.
    ///
    /// # Errors
    /// When the client cannot be set up.
    pub fn new() -> anyhow::Result<Self> {
        Self::waiting(TIME_OUT)
    }

    /// The same for whoever keeps a service so busy that it takes so long to answer.
    ///
    /// # Errors
    /// When the client cannot be set up.
    pub fn waiting(time_out: Duration) -> anyhow::Result<Self> {
        Ok(Self { client: reqwest::Client::builder().no_proxy().timeout(time_out).build()? })
    }

    /// A client whose requests no service records a trace of: it looks again and again.
    ///
    /// # Errors
    /// When the client cannot be set up.
    pub fn untraced() -> anyhow::Result<Self> {
        let headers =
            [(HeaderName::from_static("traceparent"), HeaderValue::from_static(UNSAMPLED))];
        let builder = reqwest::Client::builder().no_proxy().timeout(TIME_OUT);
        Ok(Self { client: builder.default_headers(headers.into_iter().collect()).build()? })
    }

    /// A client of the one server that listens on this Unix socket.
    ///
    /// # Errors
    /// When the client cannot be set up.
    pub fn over(socket: &Path, time_out: Duration) -> anyhow::Result<Self> {
        let builder = reqwest::Client::builder().unix_socket(socket).timeout(time_out);
        Ok(Self { client: builder.build()? })
    }

    /// Whether a GET is answered with success.
    pub async fn is_ok(&self, url: &str) -> bool {
        self.client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Gets JSON.
    ///
    /// # Errors
    /// When there is no answer, a refusal, or something else than `T`.
    pub async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Error> {
        let request = Request { method: Method::GET, url, body: None, idempotency_key: None };
        self.send(&request, None).await
    }

    /// Gets text.
    ///
    /// # Errors
    /// When there is no answer, or a refusal.
    pub async fn text(&self, url: &str) -> Result<String, Error> {
        let answer = self.client.get(url).send().await.map_err(|error| no_answer(url, &error))?;
        accepted(url, answer).await?.text().await.map_err(|error| no_answer(url, &error))
    }

    /// Asks until there is a definite answer, or `patience` is over. Only for what may be repeated.
    ///
    /// # Errors
    /// The last one.
    pub async fn send_until_answered<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        patience: Duration,
    ) -> Result<T, Error> {
        self.send_to_any(&[request.url.to_owned()], request, patience).await
    }

    /// The same where each of several replicas can answer, at `urls`: asks one after the other.
    ///
    /// # Errors
    /// The last one.
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

    /// Asks once, waiting up to `time_out` where given.
    ///
    /// # Errors
    /// When there is no answer, a refusal, or something else than `T`.
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
        // Some answers have no body, and nobody asks for one.
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes)
            .map_err(|error| Error::Unexpected { url: url.to_owned(), why: error.to_string() })
    }
}

impl Api {
    /// Opens a stream of server-sent events, after the one with this id where given.
    ///
    /// # Errors
    /// When there is no answer, or a refusal.
    pub async fn stream(&self, url: &str, after: Option<i64>) -> Result<Response, Error> {
        let mut builder = self.client.get(url).header(ACCEPT, "text/event-stream").timeout(STREAM);
        if let Some(id) = after {
            builder = builder.header("Last-Event-ID", id);
        }
        let answer = builder.send().await.map_err(|error| no_answer(url, &error))?;
        accepted(url, answer).await
    }
}

/// The URL with a query; what is no URL stays as it is and is refused when it is asked.
pub fn with_query(url: &str, query: impl Iterator<Item = (&'static str, String)>) -> String {
    Url::parse_with_params(url, query).map_or_else(|_| url.to_owned(), String::from)
}

/// The answer, unless it is a refusal.
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
    // The innermost cause is the one that says something: "Connection refused".
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
