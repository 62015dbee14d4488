//! The HTTP interface: the providers' routes, the ledger, the fault knobs and health checks.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use edge::Hosts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Desk;
use crate::faults::{FaultPlan, Provider, TurnedAway};
use crate::ledger::{self, Entry, Keyed, Kind, Outcome, Status};
use crate::problem::Problem;

/// The most bytes of a request's body. A parcel of a hundred lines takes a tenth of it.
const BODY_LIMIT: usize = 64 * 1024;
/// The most bytes of an idempotency key.
const KEY_LIMIT: usize = 255;

/// A provider's request.
pub trait Body: DeserializeOwned + Serialize {
    /// Checks what its types do not.
    ///
    /// # Errors
    /// If a value is not acceptable; the problem names the field and the fix.
    fn check(&self) -> Result<(), Problem>;

    /// Whether it is poisoned: see [`Knobs::poison`](crate::faults::Knobs::poison).
    fn is_poisoned(&self) -> bool {
        false
    }
}

type ReceivedBody = Result<Bytes, BytesRejection>;

/// All routes, served under these host names.
pub fn router(desk: Arc<Desk>, hosts: Hosts) -> Router {
    Router::new()
        .route("/charges", post(post_charge))
        .route("/refunds", post(post_refund))
        .route("/bookings", post(post_booking))
        .route("/ledger", get(get_ledger))
        .route("/faults", get(get_faults).put(put_faults))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(Arc::new(hosts), refuse_foreign))
        .with_state(desk)
}

/// Refuses requests from web pages, which must neither read the ledger nor change a knob.
async fn refuse_foreign(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let checked =
        hosts.check(request.method(), request.uri(), request.version(), request.headers());
    match checked {
        Ok(()) => next.run(request).await,
        Err(foreign) => Problem {
            status: foreign.status(),
            detail: format!("{} {foreign}", foreign.header()),
            field: Some(foreign.header().to_owned()),
            fix: "ask by an IP address or a name without a dot, and not from another site's page",
        }
        .into_response(),
    }
}

async fn post_charge(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: ReceivedBody,
) -> Response {
    answer(ask(&desk, Provider::Payment, &headers, body, ledger::Request::Charge).await)
}

async fn post_refund(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: ReceivedBody,
) -> Response {
    answer(ask(&desk, Provider::Payment, &headers, body, ledger::Request::Refund).await)
}

async fn post_booking(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: ReceivedBody,
) -> Response {
    answer(ask(&desk, Provider::Carrier, &headers, body, ledger::Request::Booking).await)
}

/// Handles a request to a provider: applies its faults, then records it in the ledger.
async fn ask<T: Body>(
    desk: &Desk,
    provider: Provider,
    headers: &HeaderMap,
    body: ReceivedBody,
    request: fn(Keyed<T>) -> ledger::Request,
) -> Result<Entry, Problem> {
    let admitted = desk.faults.admit(provider).await.map_err(turned_away)?;
    let key = idempotency_key(headers)?;
    let body: T = parse(body)?;
    body.check()?;
    if body.is_poisoned() {
        desk.faults.admit_poisoned(provider).await.map_err(turned_away)?;
    }
    let outcome = desk.ledger.record(request(Keyed::new(key, body))).await;
    match outcome.map_err(|error| Problem::unavailable(error.to_string()))? {
        Outcome::Rejected(problem) => Err(problem),
        Outcome::TurnedAway => Err(turned_away(TurnedAway::Error)),
        Outcome::AnswerLost | Outcome::Stored => Err(Problem::answer_lost()),
        Outcome::Answered(_) if admitted.answer_lost => Err(Problem::answer_lost()),
        Outcome::Answered(entry) => Ok(entry),
    }
}

fn turned_away(why: TurnedAway) -> Problem {
    match why {
        TurnedAway::Outage => {
            Problem::unavailable("the provider is out of service; nothing was recorded")
        }
        TurnedAway::Error => {
            Problem::unavailable("the provider failed before anything was recorded")
        }
        TurnedAway::Malformed => Problem::bad_request(
            "body",
            "the fault knob `poison` refuses this request; nothing was recorded",
            "PUT /faults without `poison` to have them taken",
        ),
    }
}

fn answer(result: Result<Entry, Problem>) -> Response {
    let entry = match result {
        Ok(entry) => entry,
        Err(problem) => return problem.into_response(),
    };
    let status = match (entry.kind, entry.status) {
        (_, Status::Captured | Status::Refunded | Status::Booked) => StatusCode::OK,
        (Kind::Charge | Kind::Refund, _) => StatusCode::PAYMENT_REQUIRED,
        (Kind::Booking, _) => StatusCode::CONFLICT,
    };
    let body = match (entry.kind, entry.reference) {
        (_, None) => json!({ "status": entry.status, "reason": entry.reason }),
        (Kind::Booking, tracking) => json!({ "status": entry.status, "tracking": tracking }),
        (_, reference) => json!({ "status": entry.status, "reference": reference }),
    };
    (status, Json(body)).into_response()
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let wrong = |detail: &str| {
        Problem::bad_request(
            "Idempotency-Key",
            detail,
            "send a header Idempotency-Key of 1 to 255 visible characters, the same for every repeat",
        )
    };
    let value = headers.get("idempotency-key").ok_or_else(|| wrong("the header is missing"))?;
    let value = value.to_str().map_err(|_| wrong("the key is not plain ASCII"))?.trim();
    // The IETF draft requires a quoted string; most providers use a bare one. Both are accepted.
    let key = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    if key.is_empty() || key.len() > KEY_LIMIT {
        return Err(wrong(&format!("the key has {} characters", key.len())));
    }
    Ok(key.to_owned())
}

fn parse<T: DeserializeOwned>(body: ReceivedBody) -> Result<T, Problem> {
    let body = body.map_err(|rejection| Problem {
        status: rejection.status(),
        detail: rejection.body_text(),
        field: Some("body".to_owned()),
        fix: "send a JSON body of at most 64 KiB",
    })?;
    let mut json = serde_json::Deserializer::from_slice(&body);
    let parsed = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| (error.path().to_string(), error.into_inner()))
        .and_then(|parsed| match json.end() {
            Ok(()) => Ok(parsed),
            Err(error) => Err((".".to_owned(), error)),
        });
    parsed.map_err(|(path, error)| {
        let detail = error.to_string();
        let field = field(path, &detail);
        if error.is_data() {
            Problem::unprocessable(&field, detail, "add, correct or remove this field")
        } else {
            Problem::bad_request(&field, detail, "send well-formed JSON")
        }
    })
}

/// The path of the wrong field. Only the error's text names a missing field.
fn field(path: String, detail: &str) -> String {
    let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    match (path.as_str(), missing) {
        (".", Some((missing, _))) => missing.to_owned(),
        (parent, Some((missing, _))) => format!("{parent}.{missing}"),
        (".", None) => "body".to_owned(),
        (_, None) => path,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerQuery {
    order_id: Option<Uuid>,
}

async fn get_ledger(
    State(desk): State<Arc<Desk>>,
    query: Result<Query<LedgerQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| {
        Problem::bad_request(
            "order_id",
            rejection.body_text(),
            "leave the query out for the whole ledger, or send ?order_id= and one order's UUID",
        )
    })?;
    let report = desk.ledger.report(query.order_id.map(|id| id.to_string()));
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((json, axum::body::Body::from_stream(report)).into_response())
}

async fn get_faults(State(desk): State<Arc<Desk>>) -> Json<FaultPlan> {
    Json(desk.faults.plan())
}

async fn put_faults(
    State(desk): State<Arc<Desk>>,
    body: ReceivedBody,
) -> Result<Json<FaultPlan>, Problem> {
    let plan: FaultPlan = parse(body)?;
    // Without this lock, two requests at once could leave one plan in the file and the other in force.
    let _guard = desk.planning.lock().await;
    let stored = desk.ledger.record(ledger::Request::Faults(plan)).await;
    stored.map_err(|error| Problem::unavailable(error.to_string()))?;
    desk.faults.replace(plan);
    tracing::info!(plan = ?plan, "fault knobs set");
    Ok(Json(plan))
}

async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn ready(State(desk): State<Arc<Desk>>) -> Result<Json<Value>, Problem> {
    let readable = desk.ledger.ready().await;
    readable.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok(live().await)
}

async fn no_such_route() -> Problem {
    no_such(StatusCode::NOT_FOUND, "path")
}

async fn no_such_method() -> Problem {
    no_such(StatusCode::METHOD_NOT_ALLOWED, "method")
}

fn no_such(status: StatusCode, field: &str) -> Problem {
    Problem {
        status,
        detail: format!("there is no such {field} here"),
        field: Some(field.to_owned()),
        fix: "POST /charges, /refunds, /bookings; GET /ledger, /faults; PUT /faults; GET /health/live, /health/ready",
    }
}
