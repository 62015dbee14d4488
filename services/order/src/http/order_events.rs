//! `GET /orders/{id}/events`: an order's timeline as server-sent events.
//!
//! Each stream polls the order's row in the database, because another replica may have applied the event.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{FromRequestParts, State},
    http::{HeaderName, StatusCode, request::Parts},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use contracts::{EventType, OrderId};
use futures::{Stream, stream};
use quintet::{
    App, Db,
    http::{AggregatePath, Problem, StreamPlace},
};
use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};
use utoipa::IntoParams;

use super::Happened;
use crate::{Order, OrderService};

/// The pause between a stream's looks at the database. It is longer while many streams look: see [`LOOKS`].
const POLL: Duration = Duration::from_millis(100);
/// The mails of an order: one says that it is placed, and one how it ended.
const MAILS: usize = 2;

/// Makes a proxy such as nginx pass each event on at once instead of buffering the response.
const UNBUFFERED: [(HeaderName, &str); 1] = [(HeaderName::from_static("x-accel-buffering"), "no")];
/// The most streams that look at the database at once. The others wait, so that database connections are left for
/// requests.
const LOOKS: usize = 2;
/// The first message of a stream, for the OpenAPI description.
const EXAMPLE: &str = "id: 1\ndata: {\"seq\":1,\"event\":\"OrderPlaced\",\"service\":\"order\",\
    \"at\":\"2026-11-21T11:40:52.6504Z\",\"event_id\":\"01a1fde8-c42a-73f5-96da-6e816ab97e8a\"}\n\n";

/// The permits of all streams to look at the database.
#[derive(Debug, Clone)]
pub(super) struct Looks(Arc<Semaphore>);

impl Default for Looks {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKS)))
    }
}

/// Streams an order's timeline: first the entries so far, then each new one. Each message has the
/// entry's `seq` as its id and the entry as JSON, a `TimelineEntry`, as its data. Messages have no
/// name, so that `onmessage` gets them all; the entry's `event` says what happened. The stream ends
/// when the order has ended and both of its mails have been sent or have failed.
#[utoipa::path(get, path = "/orders/{id}/events", operation_id = "get_order_events",
    tag = "orders",
    params(
        ("id" = OrderId, Path, description = "The order."),
        LastEvent,
    ),
    responses(
        (status = 200, description = "The events.", body = String,
            content_type = "text/event-stream", example = json!(EXAMPLE)),
        (status = 204, description = "The client has the whole timeline: nothing follows `Last-Event-ID`, and nothing will."),
        (status = 404, description = "There is no such order."),
        (status = 429, description = "The client, or all clients together, have the most streams that are allowed."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    Extension(Looks(looks)): Extension<Looks>,
    AggregatePath(order): AggregatePath<OrderId>,
    LastEvent { seq: last }: LastEvent,
    place: StreamPlace,
) -> Result<Response, Problem> {
    let db = app.engine.db();
    let row: Option<Order> = db.find(order).await?;
    let row = row.ok_or_else(|| Problem::not_found("such order"))?;
    let mut listener = Listener {
        db: db.clone(),
        order,
        resumed: last.unwrap_or(0),
        read: 0,
        waiting: VecDeque::new(),
        progress: Progress::default(),
        stopping: app.stopping.clone(),
        looks,
        _place: place,
    };
    listener.take(&row);
    if last.is_some() && listener.waiting.is_empty() && listener.progress.is_complete() {
        // 204 makes a browser stop reconnecting (HTML standard, server-sent events).
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = Sse::new(listener.stream()).keep_alive(KeepAlive::default());
    Ok((UNBUFFERED, stream).into_response())
}

/// The `Last-Event-ID` header, if there is one.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct LastEvent {
    /// The id of the last event that the client received: the stream continues after it.
    #[param(rename = "Last-Event-ID", minimum = 0, nullable = false)]
    seq: Option<i64>,
}

impl<S: Sync> FromRequestParts<S> for LastEvent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("last-event-id") else { return Ok(Self { seq: None }) };
        let seq = value.to_str().ok().and_then(|text| text.parse().ok());
        let seq = seq.filter(|seq| *seq >= 0).ok_or_else(|| {
            Problem::invalid("Last-Event-ID", "must be the id of an event of this stream, a number")
        })?;
        Ok(Self { seq: Some(seq) })
    }
}

/// Which of the events that complete a timeline have been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Progress {
    ended: bool,
    mails: usize,
}

impl Progress {
    fn note(&mut self, event: &str) {
        match event.parse() {
            Ok(EventType::OrderCompleted | EventType::OrderCancelled) => self.ended = true,
            Ok(EventType::NotificationSent | EventType::NotificationFailed) => self.mails += 1,
            _ => {}
        }
    }

    fn is_complete(self) -> bool {
        self.ended && self.mails >= MAILS
    }
}

struct Listener {
    db: Db,
    order: OrderId,
    /// The client already has the entries up to this number.
    resumed: i64,
    /// How many entries have been read from the database.
    read: usize,
    /// Entries to be sent to the client.
    waiting: VecDeque<Happened>,
    progress: Progress,
    stopping: watch::Receiver<bool>,
    looks: Arc<Semaphore>,
    _place: StreamPlace,
}

impl Listener {
    fn stream(self) -> impl Stream<Item = Result<Event, axum::Error>> {
        stream::unfold(self, async |mut listener| {
            let entry = listener.next().await?;
            Some((event(entry), listener))
        })
    }

    async fn next(&mut self) -> Option<Happened> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Some(entry);
            }
            if self.progress.is_complete() {
                return None;
            }
            let (db, order, looks) = (&self.db, self.order, &self.looks);
            let next_look = async {
                sleep(POLL).await;
                let _permit = looks.acquire().await;
                db.find::<Order>(order).await
            };
            let found = tokio::select! {
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                found = next_look => found,
            };
            // An error is ignored: during a database outage the order cannot change either, and the next look retries.
            if let Ok(Some(order)) = found {
                self.take(&order);
            }
        }
    }

    fn take(&mut self, order: &Order) {
        for entry in Happened::after(self.read, &order.timeline.0) {
            self.progress.note(&entry.event);
            self.read += 1;
            if entry.seq > self.resumed {
                self.waiting.push_back(entry);
            }
        }
    }
}

fn event(entry: Happened) -> Result<Event, axum::Error> {
    Event::default().id(entry.seq.to_string()).json_data(entry)
}
