//! Who does it: signals where `quintet up` runs the suite, and else the user's commands.

use super::act::{Act, Kind};
use super::commands::{Commands, To};
use super::troubles::Troubles;
use crate::control::Control;
use crate::datadir::DataDir;
use crate::http::Api;
use crate::program::{Member, Program};
use crate::suite::Suite;
use crate::supervisor::{alive, signal};
use anyhow::{Context, Result, bail};
use futures::future::{join_all, try_join_all};
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
    turns: BTreeMap<Program, Mutex<()>>,
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
        let troubles = Troubles::at(suite.url(Program::Sandbox), api.clone(), seed);
        let turns = Program::ALL.map(|program| (program, Mutex::default())).into();
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
                let programs: BTreeSet<Program> = victims.iter().map(|it| it.program).collect();
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

    async fn kill_by_command(&self, program: Program) -> Result<Member> {
        let _turn = self.turns[&program].lock().await;
        self.commands.bring(program, To::Killed).await?;
        self.commands.bring(program, To::Started).await?;
        Ok(program.into())
    }

    async fn pause(&self, member: Member, lasting: Duration) -> Result<Vec<Member>> {
        if self.commands.know(To::Paused) {
            let _turn = self.turns[&member.program].lock().await;
            self.commands.bring(member.program, To::Paused).await?;
            sleep(lasting).await;
            self.commands.bring(member.program, To::Resumed).await?;
            return Ok(vec![member.program.into()]);
        }
        let Some(pid) = pid(&self.now()?, member) else { return Ok(Vec::new()) };
        signal(pid, Signal::STOP)?;
        sleep(lasting).await;
        go_on(pid)?;
        Ok(vec![member])
    }

    async fn restart(&self, program: Program) -> Result<Vec<Member>> {
        let _turn = self.turns[&program].lock().await;
        let replicas = self.suite.services.get(&program).map_or(1, |it| it.replicas.len());
        let met = Member::of(program, replicas).collect();
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
        for member in self.members() {
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
            let start = Program::ALL.map(|program| control.steer("start", program));
            try_join_all(start).await?;
        }
        for to in [To::Resumed, To::Started].into_iter().filter(|to| self.commands.know(*to)) {
            // Mostly there is nothing to do, which some commands call a failure.
            join_all(Program::ALL.map(|program| self.commands.bring(program, to))).await;
        }
        Ok(())
    }

    /// Who does not run until somebody starts it, and why: nobody should refuse to run.
    pub(super) async fn left_down(&self) -> BTreeMap<Program, String> {
        let control = self.suite.control.as_ref().and_then(|socket| Control::at(socket).ok());
        let Some(control) = control else { return BTreeMap::new() };
        control.launcher().await.unwrap_or_default().left_down
    }

    /// Processes of each service.
    pub(super) fn replicas(&self) -> usize {
        let replicas = self.suite.services.values().map(|service| service.replicas.len());
        replicas.max().unwrap_or(1)
    }

    fn members(&self) -> impl Iterator<Item = Member> {
        Member::all(self.replicas())
    }

    /// What runs where just now.
    fn now(&self) -> Result<Suite> {
        Suite::read(&self.dir)?.context("the suite has ended")
    }
}

/// The group of a process, if it runs.
fn pid(suite: &Suite, member: Member) -> Option<Pid> {
    let pid = match suite.services.get(&member.program) {
        Some(service) => service.replicas.get(member.nth)?.pid,
        None => suite.sandbox.pid,
    };
    pid.and_then(group)
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
