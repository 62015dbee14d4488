//! The mail sink's server: it accepts connections, each of which is a [`session`].

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

/// How many connections are served at once; more wait to be accepted.
const CONNECTIONS: usize = 1_000;
/// After a failed accept (no file handles left), until the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the log says so.
const TELL: Duration = Duration::from_mins(1);

/// Serves until told to stop, then lets every open session end its mail.
pub async fn serve(listener: TcpListener, desk: Arc<Desk>, stopped: watch::Receiver<bool>) {
    let mut sessions = JoinSet::new();
    let stop = crate::end(stopped.clone());
    tokio::pin!(stop);
    let mut told: Option<Instant> = None;
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(ended) = sessions.join_next() => log_panic(ended),
            accepted = listener.accept(), if sessions.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    sessions.spawn(talk(stream, Arc::clone(&desk), stopped.clone()));
                }
                Err(error) => {
                    if told.is_none_or(|told| told.elapsed() >= TELL) {
                        told = Some(Instant::now());
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

async fn talk(stream: TcpStream, desk: Arc<Desk>, stopped: watch::Receiver<bool>) {
    let talked = match stream.set_nodelay(true) {
        Ok(()) => Session::new(stream, desk).run(stopped).await,
        Err(error) => Err(error),
    };
    if let Err(error) = talked {
        tracing::debug!(%error, "a mail connection broke");
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a mail session failed");
    }
}
