//! An order's timeline as a stream. When a connection breaks, the next one resumes after the last entry.

use super::client::{Client, Entry};
use super::sse::Parser;
use futures::{Stream, stream};
use quintet_suite::http::{Error, FIRST_PAUSE, LAST_PAUSE};
use reqwest::Response;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A connection that delivers nothing for this time is broken: the service sends a comment more often than that.
const SILENCE: Duration = Duration::from_secs(30);
/// How long connections may fail, so that a restart of the service is not noticed.
const PATIENCE: Duration = Duration::from_mins(1);

struct Events {
    client: Client,
    order_id: String,
    last_seq: Option<i64>,
    connection: Option<Connection>,
    last_received: Instant,
    pause: Duration,
}

struct Connection {
    response: Response,
    parser: Parser,
}

/// The entries so far, then each new one. The stream ends only with an error.
pub(super) fn of(client: &Client, id: &str) -> impl Stream<Item = Result<Entry, Error>> {
    let events = Events {
        client: client.clone(),
        order_id: id.to_owned(),
        last_seq: None,
        connection: None,
        last_received: Instant::now(),
        pause: FIRST_PAUSE,
    };
    stream::unfold(events, |mut events| async move { Some((events.next().await, events)) })
}

impl Events {
    async fn next(&mut self) -> Result<Entry, Error> {
        loop {
            let error = match self.receive().await {
                Ok(entry) if self.last_seq.is_none_or(|last| entry.seq > last) => {
                    self.last_seq = Some(entry.seq);
                    return Ok(entry);
                }
                // A new connection has delivered the entry again.
                Ok(_) => continue,
                Err(error) => error,
            };
            self.connection = None;
            let wait = error.retry_after().unwrap_or(self.pause);
            if !error.is_worth_a_repeat() || self.last_received.elapsed() + wait > PATIENCE {
                return Err(error);
            }
            sleep(wait).await;
            self.pause = (self.pause * 2).min(LAST_PAUSE);
        }
    }

    async fn receive(&mut self) -> Result<Entry, Error> {
        let url = format!("{}/events", self.client.url(&self.order_id));
        if self.connection.is_none() {
            let response = self.client.api().stream(&url, self.last_seq).await?;
            self.connection = Some(Connection { response, parser: Parser::default() });
        }
        let broken =
            |why: &str| Error::NoAnswer { url: url.clone(), timed_out: false, why: why.to_owned() };
        let unexpected = |why: String| Error::Unexpected { url: url.clone(), why };
        let Some(Connection { response, parser }) = &mut self.connection else {
            return Err(broken("there is no connection"));
        };
        loop {
            if let Some(data) = parser.next() {
                (self.last_received, self.pause) = (Instant::now(), FIRST_PAUSE);
                return serde_json::from_str(&data).map_err(|error| unexpected(error.to_string()));
            }
            let bytes = timeout(SILENCE, response.chunk()).await;
            let bytes = bytes.map_err(|_| broken("the event stream was silent for 30 s"))?;
            let bytes = bytes.map_err(|error| broken(&error.to_string()))?;
            self.last_received = Instant::now();
            let bytes = bytes.ok_or_else(|| broken("the event stream ended"))?;
            parser.take(&bytes).map_err(|_| unexpected("an event exceeds 1 MiB".to_owned()))?;
        }
    }
}
