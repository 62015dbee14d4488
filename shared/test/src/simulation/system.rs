//! Plays the steps of a run on its services, broker, providers and customers.

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

/// All parts of a run.
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

/// The result of a step.
pub(crate) struct Played {
    /// Whether anything happened.
    pub(crate) active: bool,
    /// The invariant that does not hold after it.
    pub(crate) failure: Option<Failure>,
}

/// An act of a part of the system.
struct Act {
    /// The name of the part in the story.
    by: &'static str,
    /// The text for the story; `None` if nothing happened.
    what: Option<String>,
}

impl<'s, P: Providers, W: Workload> System<'s, P, W> {
    /// Empties the databases, makes the parts of a run, and lets the workload prepare them.
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

    /// Plays one step, adds it to the story if anything happened, and checks the invariants.
    pub(crate) async fn play(&mut self, nth: usize, step: &Step) -> Result<Played> {
        let before = self.environment.published().len();
        self.environment.dice().begin(step.seed);
        self.environment.set_fault(step.fault);
        let acted = self.act(step).await;
        self.environment.set_fault(None);
        self.hear()?;
        let Act { by, what } = acted?;
        let notes = self.environment.take_notes();
        let text = match (what, notes.is_empty()) {
            (Some(what), true) => Some(what),
            (Some(what), false) => Some(format!("{what} ({})", notes.join(", "))),
            (None, true) => None,
            (None, false) => Some(notes.join(", ")),
        };
        let active = text.is_some();
        if let Some(text) = text {
            self.tell(nth, by, text);
        }
        let batch = active && matches!(step.action, Action::ApplyBatch(_));
        let failure = self.check_step(before, batch.then_some(by)).await?;
        Ok(Played { active, failure })
    }

    /// Adds a line to the story.
    pub(crate) fn tell(&mut self, nth: usize, by: &'static str, what: String) {
        let at = self.environment.now().duration_since(self.environment.begin());
        self.story.push(Line { nth, at: at.as_millis(), by, what });
    }

    async fn act(&mut self, step: &Step) -> Result<Act> {
        let act = |by, what: Option<String>| Ok(Act { by, what });
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
                act("operator", self.actor(name)?.resolve(&*providers).await?)
            }
            Action::Withdraw(name) => self.allow(name, false),
            Action::Grant(name) => self.allow(name, true),
            Action::Arrive => {
                self.providers.arrive();
                act("outside", None)
            }
            Action::Pass(time) => {
                environment.pass(time);
                act("clock", Some(format!("{time:?} pass")))
            }
            Action::SetBack(time) => {
                let to = environment.now().saturating_sub(time);
                environment.set_clock(to.unwrap_or(environment.begin()));
                act("clock", Some(format!("is set back by {time:?}")))
            }
            Action::SetForward(time) => {
                let to = environment.now().saturating_add(time);
                environment.set_clock(to.unwrap_or(environment.latest()));
                act("clock", Some(format!("is set forward by {time:?}")))
            }
            Action::Open(action) | Action::Ask(action) => {
                let Self { environment, actors, workload, .. } = self;
                let mut clients = Clients { environment, actors };
                act("customer", workload.act(action, &mut clients).await?)
            }
        }
    }

    /// Plays the step for this service. If it has nothing to do, the services after it in `all` may act instead: the more
    /// often, the larger the setting `eager` is.
    async fn some_service(&mut self, step: &Step, name: &str, all: &[&'static str]) -> Result<Act> {
        let eager = self.environment.dice().below(100) < self.setting.eager;
        let first = all.iter().position(|other| *other == name).unwrap_or(0);
        for nth in 0..if eager { all.len() } else { 1 } {
            let act = self.one_service(step, all[(first + nth) % all.len()]).await?;
            if act.what.is_some() {
                return Ok(act);
            }
        }
        Ok(Act { by: self.actor(name)?.name(), what: None })
    }

    /// Plays the step for this service.
    async fn one_service(&mut self, step: &Step, name: &str) -> Result<Act> {
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
        Ok(Act { by: actor.name(), what })
    }

    /// Grants a service's rights at the broker, or withdraws them.
    fn allow(&mut self, name: &str, allowed: bool) -> Result<Act> {
        let actor = self.actor(name)?;
        Ok(Act { by: actor.name(), what: actor.allow(allowed) })
    }

    /// Ends the faults that last: it sets the clock right, and grants all services their rights.
    pub(crate) fn end_faults(&mut self) {
        self.environment.set_clock(self.environment.latest());
        for actor in &mut self.actors {
            actor.allow(true);
        }
    }

    /// Lets customers and operators do what is still open. Returns whether there was anything.
    pub(crate) async fn insist(&mut self, nth: usize) -> Result<bool> {
        let Self { environment, actors, workload, .. } = self;
        let mut clients = Clients { environment, actors };
        let lines = workload.insist(&mut clients).await?;
        let active = !lines.is_empty();
        for line in lines {
            self.tell(nth, "customer", line);
        }
        Ok(active)
    }

    /// Delivers the services' answers to the customers.
    fn hear(&mut self) -> Result<()> {
        let Self { environment, actors, workload, .. } = self;
        workload.hear(&mut Clients { environment, actors })?;
        self.actors.iter_mut().for_each(|actor| actor.forget_answers());
        Ok(())
    }

    /// Whether all services are at rest: their queues are empty, and they have applied all records.
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

    /// A snapshot without rows and statuses, which needs no query.
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

    /// Checks the invariants for after a step and, if the step was a batch, those for after a batch of this service.
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

    /// Checks the invariants for rest.
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
