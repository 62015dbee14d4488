//! What the stand-ins have parked: one dead letter an order. Shipping asks for a booking.

use super::server::{Answer, FakeProgram, Shared, order_id};
use axum::extract::{Path as Segment, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub fn routes() -> Router<FakeProgram> {
    Router::new()
        .route("/admin/effects", get(effects))
        .route("/admin/dead-letters", get(list))
        .route("/admin/dead-letters/{order}", get(show))
        .route("/admin/dead-letters/{order}/replay", post(replay))
        .route("/admin/dead-letters/{order}/discard", post(discard))
}

async fn list(State(fake): Shared) -> Json<Value> {
    let state = fake.state();
    let parked = state.parked.iter().filter(|(service, _)| *service == fake.name);
    let queue = |(_, order): &(&str, String)| json!({"id": order, "cause": "panicked", "summary": "asked to", "attempts": 1, "replaying": false});
    let queues: Vec<Value> = parked.map(queue).collect();
    let count = queues.len();
    let group = json!({"cause": "panicked", "summary": "asked to", "event_type": "OrderPlaced",
        "queues": count, "dead_letters": count, "first_at": "2026-01-01T00:00:00Z"});
    let groups: Vec<Value> = (count > 0).then_some(group).into_iter().collect();
    Json(json!({"groups": groups, "queues": queues, "postponed": [], "next": null}))
}

async fn effects(State(fake): Shared) -> Json<Value> {
    let id = order_id(1);
    let booking = json!({"id": id, "order_id": id, "name": "book", "attempts": 1,
        "created_at": "2026-01-01T00:00:00Z", "held_since": null, "last_error": "503"});
    let effects: Vec<Value> = (fake.name == "shipping").then_some(booking).into_iter().collect();
    Json(json!({"effects": effects, "next": null}))
}

async fn show(State(fake): Shared, Segment(order): Segment<String>) -> Answer {
    if !fake.state().parked.contains(&(fake.name, order.clone())) {
        return not_found();
    }
    let dead_letters = json!([{"errors": ["asked to"], "attempts": 2}]);
    (StatusCode::OK, Json(json!({"id": order, "replaying": false, "dead_letters": dead_letters})))
}

async fn replay(State(fake): Shared, Segment(order): Segment<String>) -> Answer {
    let mut state = fake.state();
    let parked = (fake.name, order);
    if !state.parked.contains(&parked) {
        return not_found();
    }
    if !state.replays_fail {
        state.parked.remove(&parked);
    }
    (StatusCode::ACCEPTED, Json(json!({"dead_letters": 1, "postponed": 0})))
}

async fn discard(State(fake): Shared, Segment(order): Segment<String>) -> Answer {
    if !fake.state().parked.remove(&(fake.name, order)) {
        return not_found();
    }
    (StatusCode::OK, Json(json!({"discarded": 1, "left": 0})))
}

fn not_found() -> Answer {
    (
        StatusCode::NOT_FOUND,
        Json(json!({"title": "Not Found", "detail": "there is no dead letter"})),
    )
}
