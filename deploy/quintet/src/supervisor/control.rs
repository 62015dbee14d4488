//! The control listener, by which `stop` and `start` reach the supervisor. On loopback only.

use super::{NotReady, Supervisor};
use crate::program::Program;
use crate::suite::Launcher;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves until it is dropped.
///
/// # Errors
/// When the listener breaks.
pub(crate) async fn serve(
    listener: TcpListener,
    supervisor: Arc<Supervisor>,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/", get(launcher))
        .route("/stop/{program}", post(stop))
        .route("/start/{program}", post(start))
        .with_state(supervisor);
    axum::serve(listener, routes).await
}

async fn launcher(State(supervisor): State<Arc<Supervisor>>) -> Json<Launcher> {
    Json(Launcher { pid: std::process::id(), left_down: supervisor.left_down() })
}

async fn stop(State(supervisor): State<Arc<Supervisor>>, Path(program): Path<Program>) -> Response {
    supervisor.stop(program).await;
    status(&supervisor, program)
}

async fn start(
    State(supervisor): State<Arc<Supervisor>>,
    Path(program): Path<Program>,
) -> Response {
    supervisor.start(program).await;
    match supervisor.ready(program).await {
        Ok(()) => status(&supervisor, program),
        Err(error) => problem(&error),
    }
}

/// What `up.json` says of the program.
fn status(supervisor: &Supervisor, program: Program) -> Response {
    let suite = supervisor.suite();
    match suite.services.get(&program) {
        Some(service) => Json(json!({ program.name(): service })).into_response(),
        None => Json(json!({ program.name(): suite.sandbox })).into_response(),
    }
}

fn problem(error: &NotReady) -> Response {
    let body = json!({ "title": "Not ready", "status": 502, "detail": error.to_string() });
    let headers = [(header::CONTENT_TYPE, "application/problem+json")];
    (StatusCode::BAD_GATEWAY, headers, body.to_string()).into_response()
}
