//! The requests to stop a process: signals, and the end of the process that started it.

use std::{io::Read, thread};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// Where this variable is `stdin`, the process stops when its standard input closes. The launcher holds the other
/// end, which the operating system closes even if the launcher is killed.
const LEASH: &str = "QUINTET_LEASH";

/// Reports each request to stop. A service drains at the first and ends at the second.
pub struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
    leash: Option<oneshot::Receiver<()>>,
}

/// Listens for SIGINT, SIGTERM and, where `QUINTET_LEASH` is `stdin`, the end of standard input.
///
/// # Errors
/// If the operating system refuses the handlers.
pub fn shutdown_signal() -> std::io::Result<Shutdown> {
    Ok(Shutdown {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        leash: (std::env::var(LEASH).as_deref() == Ok("stdin")).then(watch_stdin),
    })
}

impl Shutdown {
    /// Waits for the next request to stop, and returns its name for the log.
    pub async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            () = end_of(&mut self.leash) => "the end of its parent",
        }
    }
}

/// Waits for the end of standard input, and reports it once: afterwards the leash is `None`, so that the second
/// request to stop must be a signal. It is cancel safe: a wait that is dropped leaves the leash as it was.
async fn end_of(leash: &mut Option<oneshot::Receiver<()>>) {
    match leash {
        Some(ended) => drop(ended.await),
        None => std::future::pending().await,
    }
    *leash = None;
}

/// Reads on a thread of its own. The runtime waits at its end for a read by tokio's stdin, which may never return.
fn watch_stdin() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
        let _ = ended.send(());
    });
    end
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn the_end_of_the_parent_is_reported_once_even_after_a_dropped_wait() {
        let (end, ended) = oneshot::channel();
        let mut leash = Some(ended);
        let dropped = timeout(std::time::Duration::ZERO, end_of(&mut leash)).await;
        assert!(dropped.is_err(), "the parent has not ended yet");
        end.send(()).unwrap();
        end_of(&mut leash).await;
        let again = timeout(std::time::Duration::ZERO, end_of(&mut leash)).await;
        assert!(again.is_err(), "the same end must not count as a second request to stop");
    }
}
