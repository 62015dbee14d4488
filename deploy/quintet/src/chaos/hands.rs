//! Who does it: signals where `quintet up` runs the suite, and else the user's commands.

use super::act::{Act, Kind};
use super::commands::{Commands, To};
use super::troubles::Troubles;
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

/// How long a program may take to get ready after all is over.
const READY_WITHIN: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(super) struct Hands {
    dir: DataDir,
    /// As it was in the beginning: addresses do not change, process ids do.
    suite: Suite,
    api: Api,
    commands: Commands,
    pub(super) troubles: Troubles,
    /// Who starts and stops a program, or restarts a server, waits until the one before has done so.
    turns: BTreeMap<Component, Mutex<()>>,
    kafka: Mutex<()>,
    postgres: Mutex<()>,
}

impl Hands {
    pub(super) fn new(
        (dir, suite): (DataDir, Suite),
        api: Api,
        commands: Commands,
        seed: u64,
    ) -> Self {
        let troubles = Troubles::at(suite.url(names::sandbox()), api.clone(), seed);
        let turns = suite.components().map(|component| (component, Mutex::default())).collect();
        let (kafka, postgres) = Default::default();
        Self { dir, suite, api, commands, troubles, turns, kafka, postgres }
    }

    /// What can be done to this suite.
    pub(super) fn reach(&self) -> BTreeSet<Kind> {
        let supervised = [Kind::Kill, Kind::Pause, Kind::Restart];
        let supervised = supervised.into_iter().filter(|_| self.suite.control.is_some());
        let outside = [Kind::Outage, Kind::Faults];
        self.commands.reach().chain(supervised).chain(outside).collect()
    }

    /// Does the nth deed, to its end; tells which processes it met.
    ///
    /// # Errors
    /// When it cannot be done.
    pub(super) async fn carry_out(&self, nth: usize, act: &Act) -> Result<Vec<Member>> {
        match act {
            Act::Kill(victims) if self.commands.know(To::Killed) => {
                let programs: BTreeSet<Component> = victims.iter().map(|it| it.component).collect();
                let killed = programs.into_iter().map(|program| self.kill_by_command(program));
                try_join_all(killed).await
            }
            Act::Kill(victims) => self.kill(victims),
            Act::Pause(member, lasting) => self.pause(*member, *lasting).await,
            Act::Restart(program) => self.restart(*program).await,
            Act::Trouble(provider, fault, lasting) => {
                self.troubles.begin(nth, *provider, *fault).await?;
                sleep(*lasting).await;
                self.troubles.end(nth, *provider).await?;
                Ok(Vec::new())
            }
            Act::RestartKafka => {
                let _turn = self.kafka.lock().await;
                self.commands.restart_kafka().await.map(|()| Vec::new())
            }
            Act::RestartPostgres => {
                let _turn = self.postgres.lock().await;
                self.commands.restart_postgres().await.map(|()| Vec::new())
            }
        }
    }

    /// The supervisor starts again what dies; who is dead already is not met.
    fn kill(&self, victims: &[Member]) -> Result<Vec<Member>> {
        let suite = self.now()?;
        let met = victims.iter().filter_map(|victim| Some((*victim, pid(&suite, *victim)?)));
        met.map(|(victim, pid)| Ok(signal(pid, Signal::KILL).map(|()| victim)?)).collect()
    }

    async fn kill_by_command(&self, program: Component) -> Result<Member> {
        let _turn = self.turns[&program].lock().await;
        self.commands.bring(program, To::Killed).await?;
        self.commands.bring(program, To::Started).await?;
        Ok(program.into())
    }

    async fn pause(&self, member: Member, lasting: Duration) -> Result<Vec<Member>> {
        if self.commands.know(To::Paused) {
            let _turn = self.turns[&member.component].lock().await;
            self.commands.bring(member.component, To::Paused).await?;
            sleep(lasting).await;
            self.commands.bring(member.component, To::Resumed).await?;
            return Ok(vec![member.component.into()]);
        }
        let Some(pid) = pid(&self.now()?, member) else { return Ok(Vec::new()) };
        signal(pid, Signal::STOP)?;
        sleep(lasting).await;
        go_on(pid)?;
        Ok(vec![member])
    }

    async fn restart(&self, program: Component) -> Result<Vec<Member>> {
        let _turn = self.turns[&program].lock().await;
        let met = self.suite.members().filter(|member| member.component == program).collect();
        if self.commands.know(To::Restarted) {
            return self.commands.bring(program, To::Restarted).await.map(|()| met);
        }
        let control = self.suite.control.as_ref().context("nobody supervises it")?;
        let control = Control::at(control)?;
        for verb in ["stop", "start"] {
            control.steer(verb, program).await?;
        }
        Ok(met)
    }

    /// Everything runs again and all is well; returns when everybody is ready.
    ///
    /// # Errors
    /// Who is not, and why.
    pub(super) async fn heal(&self) -> Result<()> {
        self.start_all().await?;
        self.troubles.heal().await?;
        let give_up = Instant::now() + READY_WITHIN;
        for member in self.suite.members() {
            let url = format!("{}/health/ready", self.suite.url(member));
            while !self.api.is_ok(&url).await {
                if Instant::now() >= give_up {
                    bail!("{member} does not get ready again");
                }
                sleep(POLL).await;
            }
        }
        Ok(())
    }

    async fn start_all(&self) -> Result<()> {
        if let Some(control) = &self.suite.control {
            for pid in self.now()?.pids().into_iter().filter_map(group) {
                go_on(pid)?;
            }
            let control = Control::at(control)?;
            let start = self.suite.components().map(|component| control.steer("start", component));
            try_join_all(start).await?;
        }
        for to in [To::Resumed, To::Started].into_iter().filter(|to| self.commands.know(*to)) {
            // Mostly there is nothing to do, which some commands call a failure.
            join_all(self.suite.components().map(|it| self.commands.bring(it, to))).await;
        }
        Ok(())
    }

    /// Who does not run until somebody starts it, and why: nobody should refuse to run.
    pub(super) async fn left_down(&self) -> BTreeMap<Component, String> {
        let control = self.suite.control.as_ref().and_then(|socket| Control::at(socket).ok());
        let Some(control) = control else { return BTreeMap::new() };
        control.launcher().await.unwrap_or_default().left_down
    }

    /// All processes of the suite.
    pub(super) fn suite(&self) -> &Suite {
        &self.suite
    }

    /// What runs where just now.
    fn now(&self) -> Result<Suite> {
        Suite::read(&self.dir)?.context("the suite has ended")
    }
}

/// The group of a process, if it runs.
fn pid(suite: &Suite, member: Member) -> Option<Pid> {
    suite.pid(member).and_then(group)
}

fn group(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// It may have died meanwhile, and its id may be a stranger's by now.
fn go_on(group: Pid) -> Result<()> {
    let pid = group.as_raw_nonzero().get().unsigned_abs();
    if alive(pid) {
        signal(group, Signal::CONT)?;
    }
    Ok(())
}
