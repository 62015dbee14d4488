//! The requests to stop a process: signals, and the end of the process that started it.

use std::{io::Read, thread};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// Where this variable is `stdin`, the end of standard input is a request to stop. The launcher holds the other end of
/// that pipe. The operating system closes it when the launcher ends, even if it is killed.
const LEASH: &str = "QUINTET_LEASH";

/// Reports each request to stop: each signal, and once the end of the parent. A service drains at the first request and
/// ends at the second, in whichever order they come.
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
    Shutdown::listening_to((std::env::var(LEASH).as_deref() == Ok("stdin")).then(watch_stdin))
}

impl Shutdown {
    /// Listens for the signals and, if there is a leash, for its end.
    pub(crate) fn listening_to(leash: Option<oneshot::Receiver<()>>) -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            leash,
        })
    }

    /// Waits for the next request to stop, and returns its name for the log.
    pub async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            () = end_of(&mut self.leash) => "the end of its parent",
        }
    }
}

/// Waits for the end of standard input, and reports it once: afterwards the leash is `None`, since its receiver must not
/// be awaited again. It is cancel safe: a wait that is dropped leaves the leash as it was.
async fn end_of(leash: &mut Option<oneshot::Receiver<()>>) {
    match leash {
        Some(ended) => drop(ended.await),
        None => std::future::pending().await,
    }
    *leash = None;
}

/// Reads on a thread of its own. A read by tokio's stdin would hold up the end of the runtime, which waits for it, and
/// the read may never return.
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
