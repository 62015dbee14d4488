//! The services, the broker, the outside world and the customers of one run, played step by step.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Result;
use bus::{Bus, Memory, OffsetsReach};
use clock::{Clock as _, Random as _};

use super::{
    Databases, Environment, Simulation, Snapshot,
    actor::Actor,
    broker::Broker,
    invariant::{Failure, When},
    process::Host,
    providers::Providers,
    schedule::{Action, Cast, Schedule, Setting, Step},
    story::Line,
    workload::{Clients, Workload, find},
};

/// See the module.
pub(crate) struct System<'s, P, W> {
    pub(crate) simulation: &'s Simulation<P, W>,
    pub(crate) environment: Arc<Environment>,
    pub(crate) providers: Arc<P>,
    workload: W,
    actors: Vec<Box<dyn Actor>>,
    pub(crate) cast: Cast,
    setting: Setting,
    pub(crate) story: Vec<Line>,
}

/// What came of a step that was played.
pub(crate) struct Played {
    /// Whether anything happened.
    pub(crate) did: bool,
    /// What is wrong afterwards.
    pub(crate) failure: Option<Failure>,
}

/// What a part of the system did in a step.
struct Came {
    /// The part that did it, in the story's words.
    by: &'static str,
    /// What, if anything.
    what: Option<String>,
}

impl<'s, P: Providers, W: Workload> System<'s, P, W> {
    /// On empty databases, with all that is there before the story begins.
    pub(crate) async fn open(
        simulation: &'s Simulation<P, W>,
        databases: &Databases,
        schedule: &Schedule,
    ) -> Result<Self> {
        databases.clear().await?;
        let (environment, setting) = (Arc::new(Environment::new()), schedule.setting);
        let memory = Memory::new(Arc::clone(&environment) as _, OffsetsReach::WhenFlushed);
        let topics = simulation.topics(setting.partitions);
        memory.create_topics(&topics).await?;
        let compacted = topics.iter().filter(|topic| topic.compacted).map(|topic| topic.name);
        let understood = Arc::new(compacted.collect());
        let versions = simulation.versions_of(schedule.seed);
        let providers = Arc::new(simulation.outside_world(&environment)?);
        let host = || Host {
            environment: Arc::clone(&environment),
            broker: Broker::new(memory.clone(), Arc::clone(&environment)),
            setting,
            versions: versions.clone(),
            understood: Arc::clone(&understood),
        };
        let actors = simulation.participants.actors(databases, &providers, host);
        let mut system = Self {
            simulation,
            providers,
            workload: simulation.workload_of(schedule.seed),
            actors,
            cast: simulation.participants.cast(),
            setting,
            story: Vec::new(),
            environment,
        };
        let Self { environment, actors, workload, .. } = &mut system;
        let mut clients = Clients { environment, actors };
        workload.begin(&mut clients).await?;
        workload.hear(&mut clients)?;
        system.environment.take_notes();
        Ok(system)
    }

    pub(crate) fn actor(&mut self, name: &str) -> Result<&mut dyn Actor> {
        find(&mut self.actors, name)
    }

    /// Plays one step and tells it, if anything came of it.
    pub(crate) async fn play(&mut self, nth: usize, step: &Step) -> Result<Played> {
        let before = self.environment.published().len();
        self.environment.dice().begin(step.seed);
        self.environment.set_fault(step.fault);
        let done = self.act(step).await;
        self.environment.set_fault(None);
        self.hear()?;
        let Came { by, what } = done?;
        let notes = self.environment.take_notes();
        let told = match (what, notes.is_empty()) {
            (Some(came), true) => Some(came),
            (Some(came), false) => Some(format!("{came} ({})", notes.join(", "))),
            (None, true) => None,
            (None, false) => Some(notes.join(", ")),
        };
        let did = told.is_some();
        if let Some(told) = told {
            self.tell(nth, by, told);
        }
        let batch = did && matches!(step.action, Action::ApplyBatch(_));
        let failure = self.check_step(before, batch.then_some(by)).await?;
        Ok(Played { did, failure })
    }

    pub(crate) fn tell(&mut self, nth: usize, by: &'static str, what: String) {
        let at = self.environment.now().duration_since(self.environment.begin());
        self.story.push(Line { nth, at: at.as_millis(), by, what });
    }

    async fn act(&mut self, step: &Step) -> Result<Came> {
        let came = |by, what: Option<String>| Ok(Came { by, what });
        let environment = Arc::clone(&self.environment);
        match step.action {
            Action::ApplyBatch(name) | Action::Relay(name) => {
                self.some_service(step, name, &self.cast.all.clone()).await
            }
            Action::Effects(name) => self.some_service(step, name, &self.cast.asking.clone()).await,
            Action::Alarms(name)
            | Action::Replay(name)
            | Action::Offsets(name)
            | Action::Stop(name)
            | Action::RetryHeld(name)
            | Action::Rewind(name) => self.one_service(step, name).await,
            Action::Resolve(name) => {
                let providers = Arc::clone(&self.providers);
                came("operator", self.actor(name)?.resolve(&*providers).await?)
            }
            Action::Withdraw(name) => self.allow(name, false),
            Action::Grant(name) => self.allow(name, true),
            Action::Arrive => {
                self.providers.arrive();
                came("outside", None)
            }
            Action::Pass(time) => {
                environment.pass(time);
                came("clock", Some(format!("{time:?} pass")))
            }
            Action::SetBack(time) => {
                let to = environment.now().saturating_sub(time);
                environment.set_clock(to.unwrap_or(environment.begin()));
                came("clock", Some(format!("is set back by {time:?}")))
            }
            Action::SetForward(time) => {
                let to = environment.now().saturating_add(time);
                environment.set_clock(to.unwrap_or(environment.latest()));
                came("clock", Some(format!("is set forward by {time:?}")))
            }
            Action::Open(action) | Action::Ask(action) => {
                let Self { environment, actors, workload, .. } = self;
                let mut clients = Clients { environment, actors };
                came("customer", workload.act(action, &mut clients).await?)
            }
        }
    }

    /// The step of this service, or that of the next one of `all` that has something to do, as eager as they are.
    async fn some_service(
        &mut self,
        step: &Step,
        name: &str,
        all: &[&'static str],
    ) -> Result<Came> {
        let eager = self.environment.dice().below(100) < self.setting.eager;
        let first = all.iter().position(|other| *other == name).unwrap_or(0);
        for nth in 0..if eager { all.len() } else { 1 } {
            let came = self.one_service(step, all[(first + nth) % all.len()]).await?;
            if came.what.is_some() {
                return Ok(came);
            }
        }
        Ok(Came { by: self.actor(name)?.name(), what: None })
    }

    async fn one_service(&mut self, step: &Step, name: &str) -> Result<Came> {
        let (actor, interruption) = (self.actor(name)?, step.interruption);
        let what = match step.action {
            Action::ApplyBatch(_) => actor.apply_batch(interruption).await?,
            Action::Relay(_) => actor.relay(interruption).await?,
            Action::Effects(_) => actor.effects(interruption).await?,
            Action::Alarms(_) => actor.alarms(interruption).await?,
            Action::Replay(_) => actor.replay().await?,
            Action::RetryHeld(_) => actor.retry_held().await?,
            Action::Stop(_) => actor.stop().await?,
            Action::Rewind(_) => actor.rewind().await?,
            _ => actor.offsets().map(|()| None)?,
        };
        Ok(Came { by: actor.name(), what })
    }

    /// The broker's administrator withdraws a service's rights, or grants them again.
    fn allow(&mut self, name: &str, allowed: bool) -> Result<Came> {
        let actor = self.actor(name)?;
        Ok(Came { by: actor.name(), what: actor.allow(allowed) })
    }

    /// From here on nothing fails: the clock is right, and all services have their rights.
    pub(crate) fn end_faults(&mut self) {
        self.environment.set_clock(self.environment.latest());
        for actor in &mut self.actors {
            actor.allow(true);
        }
    }

    /// Customers and operators do what is left to do; whether there was anything.
    pub(crate) async fn insist(&mut self, nth: usize) -> Result<bool> {
        let Self { environment, actors, workload, .. } = self;
        let mut clients = Clients { environment, actors };
        let told = workload.insist(&mut clients).await?;
        let did = !told.is_empty();
        for told in told {
            self.tell(nth, "customer", told);
        }
        Ok(did)
    }

    /// The customers hear what was answered.
    fn hear(&mut self) -> Result<()> {
        let Self { environment, actors, workload, .. } = self;
        workload.hear(&mut Clients { environment, actors })?;
        self.actors.iter_mut().for_each(|actor| actor.forget_answers());
        Ok(())
    }

    pub(crate) async fn is_quiet(&mut self) -> Result<bool> {
        for actor in &mut self.actors {
            let status = actor.status().await?;
            let queues = status.queues;
            let queues = [queues.outbox, queues.effects, queues.alarms, queues.parked];
            if queues.iter().any(|queue| queue.depth > 0) || status.lag != Some(0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is known without asking a service.
    fn snapshot(&self, before: usize) -> Snapshot<'_, P, W> {
        Snapshot {
            environment: &self.environment,
            providers: &self.providers,
            workload: &self.workload,
            rows: BTreeMap::new(),
            statuses: BTreeMap::new(),
            published: self.environment.published(),
            before,
        }
    }

    /// What must be so after a step, and after a batch of this service.
    async fn check_step(
        &mut self,
        before: usize,
        batch: Option<&'static str>,
    ) -> Result<Option<Failure>> {
        if let Some(failure) = self.simulation.broken(When::EachStep, &self.snapshot(before)) {
            return Ok(Some(failure));
        }
        let Some(service) = batch.filter(|name| self.simulation.checks(When::EachBatchOf(name)))
        else {
            return Ok(None);
        };
        let rows = self.actor(service)?.rows().await?;
        let snapshot = Snapshot { rows: [(service, rows)].into(), ..self.snapshot(before) };
        Ok(self.simulation.broken(When::EachBatchOf(service), &snapshot))
    }

    /// What must be so now that everything has come to rest.
    pub(crate) async fn check_rest(&mut self) -> Result<Option<Failure>> {
        let (mut rows, mut statuses) = (BTreeMap::new(), BTreeMap::new());
        for actor in &mut self.actors {
            rows.insert(actor.name(), actor.rows().await?);
            statuses.insert(actor.name(), actor.status().await?);
        }
        let before = self.environment.published().len();
        let snapshot = Snapshot { rows, statuses, ..self.snapshot(before) };
        let failure = self.simulation.broken(When::EachStep, &snapshot);
        Ok(failure.or_else(|| self.simulation.broken(When::AtRest, &snapshot)))
    }
}
