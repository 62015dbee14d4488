//! The requests to end `up`: signals, and the end of its own leash.

use anyhow::{Context, Result};
use std::io::Read;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Reports requests to end. Each kind can be reported again.
#[derive(Debug)]
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    leash: mpsc::Receiver<()>,
    leashed: bool,
}

impl Ending {
    /// Installs the signal handlers. From now on SIGINT, SIGTERM and SIGHUP no longer end the process by themselves.
    ///
    /// # Errors
    /// If the system refuses the handlers.
    pub fn listen() -> Result<Self> {
        let on = |kind| signal(kind).context("cannot listen for signals");
        let (ended, leash) = mpsc::channel(1);
        let leashed = std::env::var_os("QUINTET_LEASH").is_some_and(|leash| leash == "stdin");
        if leashed {
            // It is a thread and no task, because a read of standard input cannot be cancelled.
            std::thread::spawn(move || {
                let mut sink = [0; 256];
                while std::io::stdin().read(&mut sink).is_ok_and(|read| read > 0) {}
                // Sending fails if `up` is ending already, and then it does not matter.
                let _ = ended.blocking_send(());
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

    /// Waits for the next request to end.
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
