//! The mail sink's server. It accepts connections and runs a [`session`] on each.

mod reader;
mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Desk;
use session::Session;

/// The most connections that are served at once. Further ones wait to be accepted.
const CONNECTIONS: usize = 1_000;
/// The pause after a failed accept, for example without free file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The pause between two log lines about failed accepts.
const WARNING_PAUSE: Duration = Duration::from_mins(1);

/// Serves until the sandbox stops, then lets every open session finish its mail.
pub async fn serve(listener: TcpListener, desk: Arc<Desk>, stopped: watch::Receiver<bool>) {
    let mut sessions = JoinSet::new();
    let stop = crate::end(stopped.clone());
    tokio::pin!(stop);
    let mut last_warning: Option<Instant> = None;
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(ended) = sessions.join_next() => log_panic(ended),
            accepted = listener.accept(), if sessions.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    sessions.spawn(run_session(stream, Arc::clone(&desk), stopped.clone()));
                }
                Err(error) => {
                    if last_warning.is_none_or(|at| at.elapsed() >= WARNING_PAUSE) {
                        last_warning = Some(Instant::now());
                        let open = sessions.len();
                        tracing::warn!(
                            "no mail connection can be accepted, {open} are open: {error}; raise the limit of open \
                             files (ulimit -n)"
                        );
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while let Some(ended) = sessions.join_next().await {
        log_panic(ended);
    }
}

async fn run_session(stream: TcpStream, desk: Arc<Desk>, stopped: watch::Receiver<bool>) {
    let result = match stream.set_nodelay(true) {
        Ok(()) => Session::new(stream, desk).run(stopped).await,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a mail connection broke");
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a mail session failed");
    }
}
