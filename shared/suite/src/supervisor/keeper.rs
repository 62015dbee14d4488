//! The keeper of one program: starts it, restarts it when it dies, leaves it when it was stopped.

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
/// With these codes a service says that a restart would not help: its configuration is wrong, there
/// is data that it must not skip, or what it has to read was deleted.
const REFUSES: [i32; 2] = [64, 65];

/// What a program is doing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    /// Not started, or stopped by the user.
    Stopped,
    /// A process runs; it may not be ready.
    Running,
    /// It died and will be started again in a moment.
    BackingOff,
    /// It will not be started again by itself.
    Down {
        /// What happened, as the end of a sentence that begins with its name.
        why: String,
    },
}

/// What is asked of a keeper; `done` is answered when it is so.
#[derive(Debug)]
pub(crate) enum Wish {
    Start { done: oneshot::Sender<()> },
    Stop { done: oneshot::Sender<()> },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Keeper {
    launch: Launch,
    phase: watch::Sender<Phase>,
    suite: Arc<SuiteFile>,
    ui: Ui,
    hurry: watch::Receiver<bool>,
    backoff: Backoff,
}

/// What a keeper does next.
enum Next {
    Launch,
    Wait,
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

    /// Serves wishes until nobody can have any.
    pub(crate) async fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        let mut next = Next::Wait;
        loop {
            let pause = match next {
                Next::Launch => {
                    next = self.live(&mut wishes).await;
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
                wish = wishes.recv() => match wish {
                    None => return,
                    Some(Wish::Start { done }) => {
                        // Said before the answer, so that who asked does not see it stopped.
                        self.phase.send_replace(Phase::BackingOff);
                        let _ = done.send(());
                        next = Next::Launch;
                    }
                    Some(Wish::Stop { done }) => {
                        if self.phase.send_replace(Phase::Stopped) != Phase::Stopped {
                            self.ui.tell(&format!("{} stopped", self.launch.member));
                        }
                        let _ = done.send(());
                        next = Next::Wait;
                    }
                },
            }
        }
    }

    /// One life of the program.
    async fn live(&mut self, wishes: &mut mpsc::Receiver<Wish>) -> Next {
        let born = Instant::now();
        // The leash must live as long as the child does.
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
            self.ui.tell(&format!("{} started (pid {pid})", self.launch.member));
        }
        loop {
            tokio::select! {
                ended = child.wait() => {
                    self.runs_as(None);
                    return self.died(ended, born.elapsed());
                }
                wish = wishes.recv() => match wish {
                    Some(Wish::Start { done }) => { let _ = done.send(()); }
                    Some(Wish::Stop { done }) => {
                        self.end(&mut child).await;
                        let _ = done.send(());
                        return Next::Wait;
                    }
                    // Nobody is left to keep it for.
                    None => {
                        self.end(&mut child).await;
                        return Next::Wait;
                    }
                }
            }
        }
    }

    async fn end(&mut self, child: &mut Child) {
        let member = self.launch.member;
        if let Err(error) = terminate(child, GRACE, &mut self.hurry).await {
            self.ui.warn(&format!("cannot stop {member}: {error}"));
        }
        self.runs_as(None);
        self.phase.send_replace(Phase::Stopped);
        self.ui.tell(&format!("{member} stopped"));
    }

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

    fn runs_as(&self, pid: Option<u32>) {
        if let Err(error) = self.suite.set_pid(self.launch.member, pid) {
            self.ui.warn(&format!("cannot keep up.json true: {error}"));
        }
    }
}
