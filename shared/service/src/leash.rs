use std::{io::Read, thread};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// Set to `stdin`, a process stops when its standard input closes: its parent is gone, however
/// that ended.
const LEASH: &str = "QUINTET_LEASH";

/// Waits for the requests to stop. The first drains, the second ends.
pub struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
    leash: Option<oneshot::Receiver<()>>,
}

/// Listens for SIGINT, SIGTERM and the end of the leash.
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
    /// Returns when told to stop; says by what.
    pub async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            () = end_of(&mut self.leash) => "the end of its parent",
        }
    }
}

/// Cancel safe: the leash is let go only once it has ended.
async fn end_of(leash: &mut Option<oneshot::Receiver<()>>) {
    match leash {
        Some(ended) => drop(ended.await),
        None => std::future::pending().await,
    }
    *leash = None;
}

/// On a thread of its own: tokio's stdin would keep the runtime from ending.
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
    async fn the_leash_ends_once_whoever_waited_before() {
        let (end, ended) = oneshot::channel();
        let mut leash = Some(ended);
        let given_up = timeout(std::time::Duration::ZERO, end_of(&mut leash)).await;
        assert!(given_up.is_err(), "it has not ended yet");
        end.send(()).unwrap();
        end_of(&mut leash).await;
        let again = timeout(std::time::Duration::ZERO, end_of(&mut leash)).await;
        assert!(again.is_err(), "it ends only once: the second request to stop is another");
    }
}
