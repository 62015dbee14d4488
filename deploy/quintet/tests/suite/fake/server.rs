//! The answers of the fake programs over HTTP.

use super::dead_letters;
use axum::extract::{Path as Segment, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

/// The state behind the answers, which tests set and read.
#[derive(Default)]
pub struct FakeState {
    pub not_ready: BTreeSet<&'static str>,
    pub products: BTreeSet<String>,
    pub stock_keys: Vec<String>,
    pub order_keys: Vec<String>,
    /// The number of effects that wait in a service.
    pub effects: BTreeMap<&'static str, u64>,
    /// The rows of a service.
    pub rows: BTreeMap<&'static str, Vec<Value>>,
    /// Programs that answer every request with 503.
    pub silent: BTreeSet<&'static str>,
    /// The `Last-Event-ID` of each connection to a timeline.
    pub resumed: Vec<Option<i64>>,
    /// How often an order was read.
    reads: usize,
    /// The queries of the requests `GET /orders`.
    pub list_queries: Vec<BTreeMap<String, String>>,
    pub needs_attention: bool,
    /// All orders wait for a refund that the gateway has refused.
    pub refund_refused: bool,
    /// The customers' addresses of the placed orders.
    pub emails: Vec<String>,
    /// The orders that each service has parked.
    pub parked: BTreeSet<(&'static str, String)>,
    /// Whether replayed dead letters fail again.
    pub replays_fail: bool,
}

/// The id of the nth order.
pub fn order_id(nth: usize) -> String {
    format!("0193d9a0-0000-7000-8000-{nth:012}")
}

/// A fake program: the state of an axum router.
#[derive(Clone)]
pub struct FakeProgram {
    pub name: &'static str,
    state: Arc<Mutex<FakeState>>,
}

impl FakeProgram {
    pub fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap()
    }
}

pub type Shared = State<FakeProgram>;
pub type Answer = (StatusCode, Json<Value>);

pub fn router(name: &'static str, state: Arc<Mutex<FakeState>>) -> Router {
    let program = FakeProgram { name, state };
    Router::new()
        .route("/health/ready", get(ready))
        .route("/admin/status", get(status))
        .route("/admin/rows", get(rows))
        .merge(dead_letters::routes())
        .route("/ledger", get(ledger))
        .route("/payments/{id}", get(payment))
        .route("/products", get(products))
        .route("/products/{sku}", put(list))
        .route("/products/{sku}/stock", post(stock))
        .route("/orders", post(place).get(orders))
        .route("/orders/{id}", get(read))
        .route("/orders/{id}/events", get(events))
        .layer(from_fn_with_state(program.clone(), unless_silent))
        .with_state(program)
}

async fn unless_silent(
    State(fake): Shared,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let silent = fake.state().silent.contains(fake.name);
    if silent { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(next.run(request).await) }
}

async fn ready(State(fake): Shared) -> StatusCode {
    let ready = !fake.state().not_ready.contains(fake.name);
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn status(State(fake): Shared) -> Json<Value> {
    let effects = fake.state().effects.get(fake.name).copied().unwrap_or(0);
    let none = json!({ "depth": 0, "oldest_seconds": 0.0 });
    Json(json!({
        "service": fake.name, "batches": 7, "outbox": none, "effects": {"depth": effects},
        "alarms": none, "lag": 0
    }))
}

async fn rows(State(fake): Shared) -> Json<Value> {
    let rows = fake.state().rows.get(fake.name).cloned().unwrap_or_default();
    Json(json!({ "rows": rows, "next": null }))
}

async fn ledger() -> Json<Value> {
    Json(json!({ "charges": [], "refunds": [], "bookings": [], "mails": [] }))
}

async fn payment(State(fake): Shared) -> Answer {
    let status = if fake.state().refund_refused { "attention" } else { "captured" };
    (StatusCode::OK, Json(json!({ "status": status })))
}

async fn products(State(fake): Shared) -> Json<Value> {
    let state = fake.state();
    let products = state.products.iter().map(|sku| json!({"sku": sku, "stocked": 1}));
    Json(json!({ "products": products.collect::<Vec<_>>() }))
}

async fn list(State(fake): Shared, Segment(sku): Segment<String>, Json(body): Json<Value>) {
    assert!(body["name"].is_string() && body["price"]["amount_minor"].is_i64(), "{body}");
    fake.state().products.insert(sku);
}

async fn stock(State(fake): Shared, headers: HeaderMap, Json(body): Json<Value>) {
    assert!(body["quantity"].is_i64(), "{body}");
    fake.state().stock_keys.push(key(&headers));
}

async fn place(State(fake): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    if body["items"][0]["sku"] != "mug" {
        let problem = json!({"title": "Invalid", "detail": "items[0].sku: unknown; see /products"});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(problem));
    }
    let mut state = fake.state();
    state.order_keys.push(key(&headers));
    state.emails.push(body["customer"]["email"].as_str().unwrap().to_owned());
    (StatusCode::ACCEPTED, Json(order(&order_id(state.order_keys.len()), 1)))
}

/// Pages of at most three orders, the newest first.
async fn orders(State(fake): Shared, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let cursor: usize = query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let limit: usize = query["limit"].parse().unwrap();
    let mut state = fake.state();
    state.list_queries.push(query);
    let all: Vec<Value> = (1..=7).rev().map(|nth| order(&order_id(nth), TIMELINE.len())).collect();
    let end = (cursor + limit.min(3)).min(all.len());
    let next = (end < all.len()).then(|| end.to_string());
    Json(json!({ "orders": all[cursor..end], "next": next }))
}

/// Each read of an order shows one event more.
async fn read(State(fake): Shared, Segment(id): Segment<String>) -> Answer {
    let mut state = fake.state();
    if !id.starts_with("0193d9a0") {
        return (StatusCode::NOT_FOUND, Json(json!({"title": "Not Found", "detail": "none"})));
    }
    state.reads += 1;
    let mut order = order(&id, state.reads.min(TIMELINE.len()));
    if state.refund_refused {
        (order["status"], order["waiting_for"]) = ("cancelling".into(), json!(["payment"]));
    }
    if state.needs_attention {
        (order["needs_attention"], order["status"]) = (true.into(), "cancelling".into());
        let since = "2026-01-01T00:00:00Z";
        order["attention"] = json!({"waiting_for": ["payment"], "since": since});
    }
    (StatusCode::OK, Json(order))
}

/// The first connection ends after two entries. The next one repeats the second entry.
async fn events(
    State(fake): Shared,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let after: Option<i64> =
        headers.get("last-event-id").map(|id| id.to_str().unwrap().parse().unwrap());
    let mut state = fake.state();
    state.resumed.push(after);
    let from = usize::try_from(after.unwrap_or(1)).unwrap() - 1;
    let until = if after.is_none() { 2 } else { TIMELINE.len() };
    if after.is_some() {
        state.reads = TIMELINE.len();
    }
    let stays_open = after.is_some() || state.needs_attention || state.refund_refused;
    let entries = timeline(TIMELINE.len())[from..until].to_vec();
    let entries = entries.into_iter().map(|entry| {
        let event = Event::default().id(entry["seq"].to_string());
        Ok(event.event(entry["event"].as_str().unwrap()).data(entry.to_string()))
    });
    let end =
        if stays_open { stream::pending().left_stream() } else { stream::empty().right_stream() };
    Sse::new(stream::iter(entries).chain(end))
}

const TIMELINE: [&str; 5] =
    ["OrderPlaced", "PaymentDeclined", "OrderCancelled", "NotificationSent", "NotificationFailed"];

fn timeline(events: usize) -> Vec<Value> {
    let entry = |seq: usize| {
        let at = format!("2026-01-01T00:00:00.0{}Z", seq - 1);
        let (event, event_id) = (TIMELINE[seq - 1], format!("e{seq}"));
        json!({"seq": seq, "event": event, "service": "order", "at": at, "event_id": event_id})
    };
    (1..=events).map(entry).collect()
}

fn order(id: &str, events: usize) -> Value {
    let ended = events >= 3;
    json!({
        "id": id, "status": if ended { "cancelled" } else { "placed" },
        "reason": if ended { Some("payment_declined") } else { None },
        "needs_attention": false, "total": {"amount_minor": 1298, "currency": "EUR"},
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "timeline": timeline(events)
    })
}

fn key(headers: &HeaderMap) -> String {
    headers["Idempotency-Key"].to_str().unwrap().to_owned()
}
