//! The control socket, over which the commands `stop` and `start` reach the supervisor. It is a Unix socket of mode 0600,
//! so that no web page and no other user can open it.

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

/// The file of the control socket. Dropping this deletes it.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) path: PathBuf,
}

/// Binds the control socket of a data directory. This process must hold the directory's lock.
///
/// # Errors
/// If the socket cannot be bound, or its path is occupied by a link or by another user's file.
pub(crate) fn listen(dir: &DataDir) -> Result<(Socket, UnixListener)> {
    let path = dir.control_socket();
    let name = || format!("cannot listen on the control socket {}", path.display());
    if let Some(folder) = path.parent().filter(|folder| *folder != dir.path()) {
        private::directory(folder, folder)?;
    }
    private::check_if_there(&path, &path)?;
    // A socket at this path was left by a launcher that was killed, since a living one would hold the lock.
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
    /// Ends without deleting the file. The data directory was deleted, so a socket at this path belongs to another suite.
    pub(crate) fn abandon(self) {
        std::mem::forget(self);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // If the data directory's path is too long for a socket, the socket has a folder of its own below the temporary
        // directory. `remove_dir` deletes only an empty folder.
        let _ = fs::remove_file(&self.path);
        if self.path.parent().is_some_and(|folder| folder.starts_with(std::env::temp_dir())) {
            let _ = self.path.parent().map(fs::remove_dir);
        }
    }
}

/// Answers requests on the control socket until the future is dropped.
///
/// # Errors
/// If the listener breaks.
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

/// The entry of the component in `up.json`.
fn status(supervisor: &Supervisor, component: Component) -> Response {
    let suite = supervisor.suite();
    let service =
        suite.services.get(&component).map(|service| json!({ component.name(): service }));
    let provider =
        suite.providers.get(&component).map(|provider| json!({ component.name(): provider }));
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
