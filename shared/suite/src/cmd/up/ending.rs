//! When `up` has to end: a signal, or the end of its own leash.

use anyhow::{Context, Result};
use std::io::Read;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Listens for reasons to end; each can come again.
#[derive(Debug)]
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    leash: mpsc::Receiver<()>,
    leashed: bool,
}

impl Ending {
    /// From now on signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> Result<Self> {
        let on = |kind| signal(kind).context("cannot listen for signals");
        let (let_go, leash) = mpsc::channel(1);
        let leashed = std::env::var_os("QUINTET_LEASH").is_some_and(|leash| leash == "stdin");
        if leashed {
            // A thread, because nobody can cancel a read of stdin.
            std::thread::spawn(move || {
                let mut sink = [0; 256];
                while std::io::stdin().read(&mut sink).is_ok_and(|read| read > 0) {}
                // Nobody listens any more when the launcher is ending anyway.
                let _ = let_go.blocking_send(());
            });
        }
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: on(SignalKind::hangup())?,
            leash,
            leashed,
        })
    }

    /// Waits for the next reason.
    pub async fn wait(&mut self) {
        let leash = async {
            if !self.leashed || self.leash.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
            () = leash => {}
        }
    }
}
