//! The task that keeps one process alive: it starts the process, and restarts it with growing pauses when it dies. It
//! does not restart a process that the user has stopped, or that says by its exit code that a restart would not help.

use super::backoff::Backoff;
use super::process::{Launch, Process, ending, terminate};
use crate::invocation;
use crate::suite::SuiteFile;
use crate::ui::Ui;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};

/// How long a program may take to drain.
const GRACE: Duration = Duration::from_secs(15);
/// The exit codes by which a service says that a restart would not help: its configuration is wrong (64), or the events
/// that it has to read next are gone (65).
const REFUSES: [i32; 2] = [64, 65];

/// The state of a process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    /// It was never started, or the user has stopped it.
    Stopped,
    /// It runs; it may not be ready yet.
    Running,
    /// It died, and will be started again after a pause.
    BackingOff,
    /// It does not run, and only the user can start it again.
    Down {
        /// The reason, as the end of a sentence that begins with the member's name.
        why: String,
    },
}

/// A request to a keeper. The keeper sends `done` when it has carried it out.
#[derive(Debug)]
pub(crate) enum Order {
    Start { done: oneshot::Sender<()> },
    Stop { done: oneshot::Sender<()> },
}

/// Keeps one process alive.
#[derive(Debug)]
pub(crate) struct Keeper {
    launch: Launch,
    phase: watch::Sender<Phase>,
    suite: Arc<SuiteFile>,
    ui: Ui,
    hurry: watch::Receiver<bool>,
    backoff: Backoff,
}

/// The next step of a keeper.
enum Next {
    /// Start the process.
    Launch,
    /// Wait for an order.
    Wait,
    /// Start the process after a pause, unless an order comes first.
    LaunchAfter(Duration),
}

impl Keeper {
    pub(crate) const fn new(
        launch: Launch,
        phase: watch::Sender<Phase>,
        suite: Arc<SuiteFile>,
        ui: Ui,
        hurry: watch::Receiver<bool>,
    ) -> Self {
        Self { launch, phase, suite, ui, hurry, backoff: Backoff::new() }
    }

    /// Carries out orders until their sender is dropped.
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut next = Next::Wait;
        loop {
            let pause = match next {
                Next::Launch => {
                    next = self.live(&mut orders).await;
                    continue;
                }
                Next::Wait => None,
                Next::LaunchAfter(pause) => Some(pause),
            };
            let paused = async {
                match pause {
                    Some(pause) => sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = paused => next = Next::Launch,
                order = orders.recv() => match order {
                    None => return,
                    Some(Order::Start { done }) => {
                        // The phase changes before `done`, so that the sender of the order cannot see `Stopped` afterwards
                        // and take it for a failure.
                        self.phase.send_replace(Phase::BackingOff);
                        let _ = done.send(());
                        next = Next::Launch;
                    }
                    Some(Order::Stop { done }) => {
                        if self.phase.send_replace(Phase::Stopped) != Phase::Stopped {
                            self.ui.tell_now(self.launch.member, "stopped");
                        }
                        let _ = done.send(());
                        next = Next::Wait;
                    }
                },
            }
        }
    }

    /// Starts the process and waits until it ends or is stopped by an order.
    async fn live(&mut self, orders: &mut mpsc::Receiver<Order>) -> Next {
        let born = Instant::now();
        // Dropping the leash would end the process, so it is held as long as the process runs.
        let Process { mut child, leash: _leash } = match self.launch.spawn() {
            Ok(process) => process,
            Err(error) => {
                let executable = self.launch.start.program.display();
                return self.down(format!("cannot be started: {executable}: {error}"));
            }
        };
        self.runs_as(child.id());
        self.phase.send_replace(Phase::Running);
        if let Some(pid) = child.id() {
            self.ui.tell_now(self.launch.member, &format!("started (pid {pid})"));
        }
        loop {
            tokio::select! {
                ended = child.wait() => {
                    self.runs_as(None);
                    return self.died(ended, born.elapsed());
                }
                order = orders.recv() => match order {
                    Some(Order::Start { done }) => { let _ = done.send(()); }
                    Some(Order::Stop { done }) => {
                        self.end(&mut child).await;
                        let _ = done.send(());
                        return Next::Wait;
                    }
                    // The supervisor was dropped.
                    None => {
                        self.end(&mut child).await;
                        return Next::Wait;
                    }
                }
            }
        }
    }

    /// Stops the process, and kills it if it does not drain in time.
    async fn end(&mut self, child: &mut Child) {
        let member = self.launch.member;
        if let Err(error) = terminate(child, GRACE, &mut self.hurry).await {
            self.ui.warn(&format!("cannot stop {member}: {error}"));
        }
        self.runs_as(None);
        self.phase.send_replace(Phase::Stopped);
        self.ui.tell_now(member, "stopped");
    }

    /// Decides what follows when the process has died without an order to stop.
    fn died(&mut self, ended: io::Result<ExitStatus>, lived: Duration) -> Next {
        if let Ok(status) = &ended
            && let Some(code) = status.code().filter(|code| REFUSES.contains(code))
        {
            return self.down(format!("refuses to run (exit code {code})"));
        }
        let how = ended.map_or_else(|error| error.to_string(), ending);
        let pause = self.backoff.after(lived);
        self.ui.warn(&format!(
            "{} died ({how}), restarting in {:.1} s; see {}",
            self.launch.member,
            pause.as_secs_f64(),
            self.launch.shown_log.display()
        ));
        self.phase.send_replace(Phase::BackingOff);
        Next::LaunchAfter(pause)
    }

    /// Leaves the process down until the user starts it.
    fn down(&self, why: String) -> Next {
        let (member, log) = (self.launch.member, self.launch.shown_log.display());
        let component = member.component;
        self.ui.warn(&format!(
            "{member} {why} and is left down: see {log}; `{}` tries again",
            invocation::command(&format!("start {component}"))
        ));
        self.phase.send_replace(Phase::Down { why });
        Next::Wait
    }

    /// Records the process id in `up.json`; `None` if the process does not run.
    fn runs_as(&self, pid: Option<u32>) {
        if let Err(error) = self.suite.set_pid(self.launch.member, pid) {
            self.ui.warn(&format!("cannot update up.json: {error}"));
        }
    }
}
