//! What the stand-ins answer.

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
use std::sync::{Arc, Mutex};

/// What the stand-ins know.
#[derive(Default)]
pub struct World {
    pub not_ready: BTreeSet<&'static str>,
    pub products: BTreeSet<String>,
    pub stock_keys: Vec<String>,
    pub order_keys: Vec<String>,
    /// What a service has to do.
    pub effects: BTreeMap<&'static str, u64>,
    /// What a service's rows are.
    pub rows: BTreeMap<&'static str, Vec<Value>>,
    /// Programs that answer nothing but 503.
    pub silent: BTreeSet<&'static str>,
    /// The `Last-Event-ID` of each connection to a timeline.
    pub resumed: Vec<Option<i64>>,
    /// So many answers to looks at an order.
    reads: usize,
    /// The queries of `GET /orders`.
    pub lists: Vec<BTreeMap<String, String>>,
    pub needs_attention: bool,
    /// All orders wait for a refund that the gateway has refused.
    pub refund_refused: bool,
    /// Orders that are newer than the seven that ended long ago: those that have ended meanwhile, and then open ones.
    pub newer_ended: usize,
    pub newer_open: usize,
    /// Mail addresses of the orders that were placed.
    pub emails: Vec<String>,
    /// Orders that a service has parked.
    pub parked: BTreeSet<(&'static str, String)>,
    /// What is replayed fails again.
    pub hopeless: bool,
}

/// The `nth` order's id.
pub fn order_id(nth: usize) -> String {
    format!("0193d9a0-0000-7000-8000-{nth:012}")
}

pub type Shared = State<(&'static str, Arc<Mutex<World>>)>;
pub type Answer = (StatusCode, Json<Value>);

pub fn router(program: &'static str, world: Arc<Mutex<World>>) -> Router {
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
        .layer(from_fn_with_state((program, Arc::clone(&world)), unless_silent))
        .with_state((program, world))
}

async fn unless_silent(
    State((program, world)): Shared,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let silent = world.lock().unwrap().silent.contains(program);
    if silent { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(next.run(request).await) }
}

async fn ready(State((program, world)): Shared) -> StatusCode {
    let ready = !world.lock().unwrap().not_ready.contains(program);
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn status(State((program, world)): Shared) -> Json<Value> {
    let effects = world.lock().unwrap().effects.get(program).copied().unwrap_or(0);
    let none = json!({ "depth": 0, "oldest_seconds": 0.0 });
    Json(json!({
        "service": program, "turns": 7, "outbox": none, "effects": {"depth": effects},
        "alarms": none, "lag": 0
    }))
}

async fn rows(State((program, world)): Shared) -> Json<Value> {
    let rows = world.lock().unwrap().rows.get(program).cloned().unwrap_or_default();
    Json(json!({ "rows": rows, "next": null }))
}

async fn ledger() -> Json<Value> {
    Json(json!({ "charges": [], "refunds": [], "bookings": [], "mails": [] }))
}

async fn payment(State((_, world)): Shared) -> Answer {
    let status = if world.lock().unwrap().refund_refused { "attention" } else { "captured" };
    (StatusCode::OK, Json(json!({ "status": status })))
}

async fn products(State((_, world)): Shared) -> Json<Value> {
    let world = world.lock().unwrap();
    let products = world.products.iter().map(|sku| json!({"sku": sku, "stocked": 1}));
    Json(json!({ "products": products.collect::<Vec<_>>() }))
}

async fn list(State((_, world)): Shared, Segment(sku): Segment<String>, Json(body): Json<Value>) {
    assert!(body["name"].is_string() && body["price"]["amount_minor"].is_i64(), "{body}");
    world.lock().unwrap().products.insert(sku);
}

async fn stock(State((_, world)): Shared, headers: HeaderMap, Json(body): Json<Value>) {
    assert!(body["quantity"].is_i64(), "{body}");
    world.lock().unwrap().stock_keys.push(key(&headers));
}

async fn place(State((_, world)): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    if body["items"][0]["sku"] != "mug" {
        let problem = json!({"title": "Invalid", "detail": "items[0].sku: unknown; see /products"});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(problem));
    }
    let mut world = world.lock().unwrap();
    world.order_keys.push(key(&headers));
    world.emails.push(body["customer"]["email"].as_str().unwrap().to_owned());
    (StatusCode::ACCEPTED, Json(order(&order_id(world.order_keys.len()), 1)))
}

/// A third of the orders a page.
async fn orders(
    State((_, world)): Shared,
    Query(query): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    let cursor: usize = query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let limit: usize = query["limit"].parse().unwrap();
    let mut world = world.lock().unwrap();
    world.lists.push(query);
    let ended = 7 + world.newer_ended;
    let events = |nth| if nth > ended { 1 } else { TIMELINE.len() };
    let all = (1..=ended + world.newer_open).rev().map(|nth| order(&order_id(nth), events(nth)));
    let all: Vec<Value> = all.collect();
    let end = (cursor + limit.min(3)).min(all.len());
    let next = (end < all.len()).then(|| end.to_string());
    Json(json!({ "orders": all[cursor..end], "next": next }))
}

/// Each look sees one event more.
async fn read(State((_, world)): Shared, Segment(id): Segment<String>) -> Answer {
    let mut world = world.lock().unwrap();
    if !id.starts_with("0193d9a0") {
        return (StatusCode::NOT_FOUND, Json(json!({"title": "Not Found", "detail": "none"})));
    }
    world.reads += 1;
    if world.newer_ended > 0 {
        world.reads = TIMELINE.len();
    }
    let mut order = order(&id, world.reads.min(TIMELINE.len()));
    if world.refund_refused {
        (order["status"], order["waiting_for"]) = ("cancelling".into(), json!(["payment"]));
    }
    if world.needs_attention {
        (order["needs_attention"], order["status"]) = (true.into(), "cancelling".into());
        let since = "2026-01-01T00:00:00Z";
        order["attention"] = json!({"waiting_for": ["payment"], "since": since});
    }
    (StatusCode::OK, Json(order))
}

/// The first connection ends after two entries; the next begins with one that was seen.
async fn events(
    State((_, world)): Shared,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let after: Option<i64> =
        headers.get("last-event-id").map(|id| id.to_str().unwrap().parse().unwrap());
    let mut world = world.lock().unwrap();
    world.resumed.push(after);
    let from = usize::try_from(after.unwrap_or(1)).unwrap() - 1;
    let until = if after.is_none() { 2 } else { TIMELINE.len() };
    if after.is_some() {
        world.reads = TIMELINE.len();
    }
    let lasts = after.is_some() || world.needs_attention || world.refund_refused;
    let entries = timeline(TIMELINE.len())[from..until].to_vec();
    let entries = entries.into_iter().map(|entry| {
        let event = Event::default().id(entry["seq"].to_string());
        Ok(event.event(entry["event"].as_str().unwrap()).data(entry.to_string()))
    });
    let end = if lasts { stream::pending().left_stream() } else { stream::empty().right_stream() };
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
