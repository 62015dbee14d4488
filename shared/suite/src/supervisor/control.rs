//! The control socket, over which `stop` and `start` reach the supervisor: a Unix socket of mode 0600, which no web page
//! and no other user can open.

use super::Supervisor;
use crate::component::Component;
use crate::datadir::DataDir;
use crate::private;
use crate::suite::Launcher;
use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::UnixListener;

/// The socket, until the launcher ends.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) path: PathBuf,
}

/// Binds the control socket of a directory that this process has locked.
///
/// # Errors
/// When that fails.
pub(crate) fn listen(dir: &DataDir) -> Result<(Socket, UnixListener)> {
    let path = dir.control_socket();
    let name = || format!("cannot listen on the control socket {}", path.display());
    if let Some(folder) = path.parent().filter(|folder| *folder != dir.path()) {
        private::directory(folder, folder)?;
    }
    private::check_if_there(&path, &path)?;
    // That of a launcher that was killed: a living one would hold the lock.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(name);
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path).with_context(name)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).with_context(name)?;
    Ok((Socket { path }, listener))
}

impl Socket {
    /// Leaves what lies at the path: it was deleted, and a socket there belongs to another suite.
    pub(crate) fn abandon(self) {
        std::mem::forget(self);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The folder of its own, where the data directory's path is too long; never one that holds anything else.
        let _ = fs::remove_file(&self.path);
        if self.path.parent().is_some_and(|folder| folder.starts_with(std::env::temp_dir())) {
            let _ = self.path.parent().map(fs::remove_dir);
        }
    }
}

/// Serves until it is dropped.
///
/// # Errors
/// When the listener breaks.
pub(crate) async fn serve(
    listener: UnixListener,
    supervisor: Arc<Supervisor>,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/", get(launcher))
        .route("/stop/{component}", post(stop))
        .route("/start/{component}", post(start))
        .with_state(supervisor);
    axum::serve(listener, routes).await
}

async fn launcher(State(supervisor): State<Arc<Supervisor>>) -> Json<Launcher> {
    Json(Launcher { pid: std::process::id(), left_down: supervisor.left_down() })
}

async fn stop(
    State(supervisor): State<Arc<Supervisor>>,
    Path(component): Path<Component>,
) -> Response {
    supervisor.stop(component).await;
    status(&supervisor, component)
}

async fn start(
    State(supervisor): State<Arc<Supervisor>>,
    Path(component): Path<Component>,
) -> Response {
    supervisor.start(component).await;
    match supervisor.ready(component).await {
        Ok(()) => status(&supervisor, component),
        Err(error) => problem(StatusCode::BAD_GATEWAY, "Not ready", &error.to_string()),
    }
}

/// What `up.json` says of the component.
fn status(supervisor: &Supervisor, component: Component) -> Response {
    let suite = supervisor.suite();
    let service = suite.services.get(&component).map(|it| json!({ component.name(): it }));
    let provider = suite.providers.get(&component).map(|it| json!({ component.name(): it }));
    match (service.or(provider), suite.component(component)) {
        (Some(status), _) => Json(status).into_response(),
        (None, Err(error)) => problem(StatusCode::NOT_FOUND, "Unknown", &error.to_string()),
        (None, Ok(_)) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let body = json!({ "title": title, "status": status.as_u16(), "detail": detail });
    let headers = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, headers, body.to_string()).into_response()
}
