//! Carries out the actions of a chaos run: by signals and the supervisor if `quintet up` runs the suite, and by the user's
//! commands otherwise.

use super::action::{Action, ActionKind};
use super::commands::{Commands, Verb};
use super::faults::ProviderFaults;
use crate::names;
use anyhow::{Context, Result, bail};
use futures::future::{join_all, try_join_all};
use quintet_suite::Control;
use quintet_suite::DataDir;
use quintet_suite::Suite;
use quintet_suite::http::Api;
use quintet_suite::{Component, Member};
use quintet_suite::{alive, signal};
use rustix::process::{Pid, Signal};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// How long a program may take to get ready after the last action.
const READY_WITHIN: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(100);

/// Carries out actions on one suite.
#[derive(Debug)]
pub(super) struct Executor {
    dir: DataDir,
    /// The suite at the beginning of the run. Its addresses stay valid, its process ids do not.
    suite: Suite,
    api: Api,
    commands: Commands,
    faults: ProviderFaults,
    /// Serialise the actions that start and stop the same program, or restart the same server.
    program_locks: BTreeMap<Component, Mutex<()>>,
    kafka_lock: Mutex<()>,
    postgres_lock: Mutex<()>,
}

impl Executor {
    pub(super) fn new(dir: DataDir, suite: Suite, api: Api, commands: Commands, seed: u64) -> Self {
        let faults = ProviderFaults::at(suite.url(names::sandbox()), api.clone(), seed);
        let program_locks = suite.components().map(|it| (it, Mutex::default())).collect();
        let (kafka_lock, postgres_lock) = Default::default();
        Self { dir, suite, api, commands, faults, program_locks, kafka_lock, postgres_lock }
    }

    /// The kinds of actions that this suite and the user's commands allow.
    pub(super) fn possible(&self) -> BTreeSet<ActionKind> {
        let supervised = [ActionKind::Kill, ActionKind::Pause, ActionKind::Restart];
        let supervised = supervised.into_iter().filter(|_| self.suite.control.is_some());
        let by_sandbox = [ActionKind::Outage, ActionKind::Faults];
        self.commands.possible().chain(supervised).chain(by_sandbox).collect()
    }

    /// Carries out the nth action of the run, to its end, and returns the processes that it hit.
    ///
    /// # Errors
    /// When the action fails.
    pub(super) async fn carry_out(&self, nth: usize, action: &Action) -> Result<Vec<Member>> {
        match action {
            Action::Kill(victims) if self.commands.can(Verb::Kill) => {
                let programs: BTreeSet<Component> =
                    victims.iter().map(|victim| victim.component).collect();
                let killed = programs.into_iter().map(|program| self.kill_by_command(program));
                try_join_all(killed).await
            }
            Action::Kill(victims) => self.kill(victims),
            Action::Pause(member, lasting) => self.pause(*member, *lasting).await,
            Action::Restart(program) => self.restart(*program).await,
            Action::ProviderFault(provider, fault, lasting) => {
                self.faults.begin(nth, *provider, *fault).await?;
                sleep(*lasting).await;
                self.faults.end(nth, *provider).await?;
                Ok(Vec::new())
            }
            Action::RestartKafka => {
                let _lock = self.kafka_lock.lock().await;
                self.commands.restart_kafka().await.map(|()| Vec::new())
            }
            Action::RestartPostgres => {
                let _lock = self.postgres_lock.lock().await;
                self.commands.restart_postgres().await.map(|()| Vec::new())
            }
        }
    }

    /// Kills processes, which the supervisor then starts again. A victim that is down already is not hit.
    fn kill(&self, victims: &[Member]) -> Result<Vec<Member>> {
        let suite = self.current_suite()?;
        let running =
            victims.iter().filter_map(|victim| Some((*victim, group_of(&suite, *victim)?)));
        running.map(|(victim, group)| Ok(signal(group, Signal::KILL).map(|()| victim)?)).collect()
    }

    async fn kill_by_command(&self, program: Component) -> Result<Member> {
        let _lock = self.program_locks[&program].lock().await;
        self.commands.run(Verb::Kill, program).await?;
        self.commands.run(Verb::Start, program).await?;
        Ok(program.into())
    }

    async fn pause(&self, member: Member, lasting: Duration) -> Result<Vec<Member>> {
        if self.commands.can(Verb::Pause) {
            let _lock = self.program_locks[&member.component].lock().await;
            self.commands.run(Verb::Pause, member.component).await?;
            sleep(lasting).await;
            self.commands.run(Verb::Resume, member.component).await?;
            return Ok(vec![member.component.into()]);
        }
        let Some(group) = group_of(&self.current_suite()?, member) else { return Ok(Vec::new()) };
        signal(group, Signal::STOP)?;
        sleep(lasting).await;
        resume(group)?;
        Ok(vec![member])
    }

    async fn restart(&self, program: Component) -> Result<Vec<Member>> {
        let _lock = self.program_locks[&program].lock().await;
        let hit = self.suite.members().filter(|member| member.component == program).collect();
        if self.commands.can(Verb::Restart) {
            return self.commands.run(Verb::Restart, program).await.map(|()| hit);
        }
        let control = self.suite.control.as_ref();
        let control = control.context("no `quintet up` supervises the suite")?;
        let control = Control::at(control)?;
        for verb in ["stop", "start"] {
            control.steer(verb, program).await?;
        }
        Ok(hit)
    }

    /// Resumes and starts all programs, ends all faults, and waits until each process is ready.
    ///
    /// # Errors
    /// When a program cannot be started, or a process does not get ready in time.
    pub(super) async fn heal(&self) -> Result<()> {
        self.start_all().await?;
        self.faults.end_all().await?;
        let give_up = Instant::now() + READY_WITHIN;
        for member in self.suite.members() {
            let url = format!("{}/health/ready", self.suite.url(member));
            while !self.api.is_ok(&url).await {
                if Instant::now() >= give_up {
                    bail!("{member} did not get ready within two minutes after the last strike");
                }
                sleep(POLL).await;
            }
        }
        Ok(())
    }

    async fn start_all(&self) -> Result<()> {
        if let Some(control) = &self.suite.control {
            for group in self.current_suite()?.pids().into_iter().filter_map(group) {
                resume(group)?;
            }
            let control = Control::at(control)?;
            let start = self.suite.components().map(|component| control.steer("start", component));
            try_join_all(start).await?;
        }
        for verb in [Verb::Resume, Verb::Start].into_iter().filter(|verb| self.commands.can(*verb))
        {
            // Failures are ignored: most programs run already, and some commands fail for those. A program that does not
            // run is found because it does not get ready.
            let programs = self.suite.components();
            join_all(programs.map(|program| self.commands.run(verb, program))).await;
        }
        Ok(())
    }

    /// The programs that the supervisor does not start again because they exited for good, and why. A chaos run must leave
    /// none.
    pub(super) async fn left_down(&self) -> BTreeMap<Component, String> {
        let control = self.suite.control.as_ref().and_then(|socket| Control::at(socket).ok());
        let Some(control) = control else { return BTreeMap::new() };
        control.launcher().await.unwrap_or_default().left_down
    }

    /// The suite at the beginning of the run.
    pub(super) fn suite(&self) -> &Suite {
        &self.suite
    }

    /// The suite with its present process ids.
    fn current_suite(&self) -> Result<Suite> {
        Suite::read(&self.dir)?.context("the suite has ended")
    }
}

/// The process group of a member, if it runs.
fn group_of(suite: &Suite, member: Member) -> Option<Pid> {
    suite.pid(member).and_then(group)
}

fn group(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Continues a stopped process group. A process that has died is left alone, because its id may belong to another program by
/// now.
fn resume(group: Pid) -> Result<()> {
    let pid = group.as_raw_nonzero().get().unsigned_abs();
    if alive(pid) {
        signal(group, Signal::CONT)?;
    }
    Ok(())
}
