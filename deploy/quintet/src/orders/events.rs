//! An order's timeline as a stream. Where a connection breaks, the next one resumes after the last
//! entry that was seen.

use super::client::{Client, Entry};
use super::sse::Parser;
use futures::{Stream, stream};
use quintet_suite::http::{Error, FIRST_PAUSE, LAST_PAUSE};
use reqwest::Response;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A connection says something more often than that, if only that it is there.
const SILENCE: Duration = Duration::from_secs(30);
/// How long nobody may answer: services are restarted meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);

struct Events {
    client: Client,
    id: String,
    last: Option<i64>,
    connection: Option<(Response, Parser)>,
    heard: Instant,
    pause: Duration,
}

/// What happened to an order so far, and then what happens. It ends with an error only.
pub(super) fn of(client: &Client, id: &str) -> impl Stream<Item = Result<Entry, Error>> {
    let events = Events {
        client: client.clone(),
        id: id.to_owned(),
        last: None,
        connection: None,
        heard: Instant::now(),
        pause: FIRST_PAUSE,
    };
    stream::unfold(events, |mut events| async move { Some((events.next().await, events)) })
}

impl Events {
    async fn next(&mut self) -> Result<Entry, Error> {
        loop {
            let error = match self.receive().await {
                Ok(entry) if self.last.is_none_or(|last| entry.seq > last) => {
                    self.last = Some(entry.seq);
                    return Ok(entry);
                }
                // Seen before.
                Ok(_) => continue,
                Err(error) => error,
            };
            self.connection = None;
            let wait = error.retry_after().unwrap_or(self.pause);
            if !error.is_worth_a_repeat() || self.heard.elapsed() + wait > PATIENCE {
                return Err(error);
            }
            sleep(wait).await;
            self.pause = (self.pause * 2).min(LAST_PAUSE);
        }
    }

    async fn receive(&mut self) -> Result<Entry, Error> {
        let url = format!("{}/events", self.client.url(&self.id));
        if self.connection.is_none() {
            let response = self.client.api().stream(&url, self.last).await?;
            self.connection = Some((response, Parser::default()));
        }
        let broken =
            |why: &str| Error::NoAnswer { url: url.clone(), timed_out: false, why: why.to_owned() };
        let unexpected = |why: String| Error::Unexpected { url: url.clone(), why };
        let Some((response, parser)) = &mut self.connection else {
            return Err(broken("there is no connection"));
        };
        loop {
            if let Some(data) = parser.next() {
                (self.heard, self.pause) = (Instant::now(), FIRST_PAUSE);
                return serde_json::from_str(&data).map_err(|error| unexpected(error.to_string()));
            }
            let bytes = timeout(SILENCE, response.chunk()).await;
            let bytes = bytes.map_err(|_| broken("it fell silent"))?;
            let bytes = bytes.map_err(|error| broken(&error.to_string()))?;
            self.heard = Instant::now();
            let bytes = bytes.ok_or_else(|| broken("it ended"))?;
            parser.take(&bytes).map_err(|_| unexpected("an event without an end".to_owned()))?;
        }
    }
}
