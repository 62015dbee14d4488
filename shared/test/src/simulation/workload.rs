//! What customers and operators do.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use async_trait::async_trait;
use clock::{Clock as _, uuid_v7};
use engine::{IdempotencyKey, Input, Origin, What, Work};
use event::Trace;
use serde_json::Value;
use service::Service;
use uuid::Uuid;

use super::{
    Environment, Profile,
    actor::{Actor, Heard},
    played::ActorOf,
};

/// What customers and operators of a saga do. One is made for each run, from chance of its own.
#[async_trait]
pub trait Workload: Send + 'static {
    /// What it can do, and how often.
    fn actions(&self) -> Actions;

    /// Changes what the seed has drawn for the run, where the workload needs other circumstances.
    fn shape(&self, _profile: &mut Profile) {}

    /// Prepares the services before the story begins. Nothing fails here.
    ///
    /// # Errors
    /// If a service cannot go on.
    async fn begin(&mut self, _clients: &mut Clients<'_>) -> Result<()> {
        Ok(())
    }

    /// Does one of its actions; the story's words for it, or `None` if there was nothing to do.
    ///
    /// # Errors
    /// If a service cannot go on.
    async fn act(
        &mut self,
        action: &'static str,
        clients: &mut Clients<'_>,
    ) -> Result<Option<String>>;

    /// Hears what was answered. It is called after each step.
    ///
    /// # Errors
    /// If there is no such service.
    fn hear(&mut self, _clients: &mut Clients<'_>) -> Result<()> {
        Ok(())
    }

    /// All faults have ended and nothing happens any more. Customers who have no answer ask once more, and operators
    /// do what only they can do. Each line is what the story says of it.
    ///
    /// # Errors
    /// If a service cannot go on.
    async fn insist(&mut self, _clients: &mut Clients<'_>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// The actions of a workload, by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions {
    /// The action that opens a story, such as booking a trip. It happens early in a run.
    pub opening: &'static str,
    /// How many stories a run opens at most; at least one.
    pub openings: u64,
    /// What else may happen at any time.
    pub others: Vec<Weighted>,
}

/// An action that may happen at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// How often. For comparison: all batches together weigh 90, all alarms 4.
    pub weight: u64,
    /// Its name.
    pub name: &'static str,
}

/// How customers and operators reach the services.
pub struct Clients<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) actors: &'a mut [Box<dyn Actor>],
}

impl Clients<'_> {
    /// The clock, the dice and the names of the run.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        self.environment
    }

    /// A command with an id of its own. The story calls it `command NAME`.
    #[must_use]
    pub fn command<S: Service>(
        &self,
        name: &str,
        command: S::Command,
        key: Option<IdempotencyKey>,
    ) -> Work<S> {
        let cause = uuid_v7(self.environment, self.environment);
        self.environment.call(cause, format!("command {name}"));
        let (at, what) = (self.environment.now(), What::Command(command));
        let input = Input { cause, at, trace: Trace::default(), what };
        Work { input, origin: Origin::Command(key) }
    }

    /// Sends a command. It is lost if the service crashes before it commits.
    ///
    /// # Errors
    /// If there is no such service, or it cannot start.
    pub async fn send<S: Service + Clone>(&mut self, command: Work<S>) -> Result<()> {
        self.actor_of::<S>()?.send(command).await
    }

    /// The answers of a service since they were last asked for.
    ///
    /// # Errors
    /// If there is no such service.
    pub fn hear<S: Service + Clone>(&mut self) -> Result<Vec<Heard<S>>> {
        let actor = self.actor_of::<S>()?;
        Ok(std::iter::from_fn(|| actor.hear()).collect())
    }

    /// The rows of a service, as it lists them for operators.
    ///
    /// # Errors
    /// If there is no such service, or its database does not answer.
    pub async fn rows(&mut self, service: &str) -> Result<Vec<Value>> {
        find(self.actors, service)?.rows().await
    }

    /// A service applies all that waits.
    ///
    /// # Errors
    /// If there is no such service, or it cannot go on.
    pub async fn apply_batches(&mut self, service: &str) -> Result<()> {
        let actor = find(self.actors, service)?;
        while actor.apply_batch(None).await?.is_some() {}
        Ok(())
    }

    /// A service publishes its outbox.
    ///
    /// # Errors
    /// If there is no such service, or it cannot go on.
    pub async fn relay(&mut self, service: &str) -> Result<()> {
        find(self.actors, service)?.relay(None).await.map(drop)
    }

    fn actor_of<S: Service + Clone>(&mut self) -> Result<&mut ActorOf<S>> {
        match find(self.actors, S::NAME)?.as_any().downcast_mut() {
            Some(actor) => Ok(actor),
            None => bail!("the participant {} is of another type than the workload's", S::NAME),
        }
    }
}

/// The service of this name.
pub(crate) fn find<'a>(
    actors: &'a mut [Box<dyn Actor>],
    service: &str,
) -> Result<&'a mut dyn Actor> {
    match actors.iter_mut().find(|actor| actor.name() == service) {
        Some(actor) => Ok(&mut **actor),
        None => bail!("no participant is named {service}: add it to the simulation's participants"),
    }
}

/// Something that a customer asks for, under one idempotency key, until it is answered.
#[derive(Clone, Debug)]
pub struct Wish<T, A> {
    /// Its name in the story; also its idempotency key.
    pub name: String,
    /// What is asked for.
    pub body: T,
    answers: Vec<A>,
    refused: bool,
    /// All commands that asked for it.
    asked: BTreeSet<Uuid>,
    /// Those of them that have no answer.
    under_way: BTreeSet<Uuid>,
}

impl<T, A: PartialEq> Wish<T, A> {
    /// A wish that was not asked for yet.
    pub fn new(name: impl Into<String>, body: T) -> Self {
        let (asked, under_way) = (BTreeSet::new(), BTreeSet::new());
        Self { name: name.into(), body, answers: Vec::new(), refused: false, asked, under_way }
    }

    /// The key that all its requests have in common.
    pub fn key(&self) -> IdempotencyKey {
        IdempotencyKey { key: self.name.clone(), hash: [0; 32], sent: [0; 32] }
    }

    /// It is asked for by this command.
    pub fn asked(&mut self, command: Uuid) {
        self.asked.insert(command);
        self.under_way.insert(command);
    }

    /// Whether this command asked for it.
    pub fn was_asked_by(&self, command: Uuid) -> bool {
        self.asked.contains(&command)
    }

    /// It was granted. A second answer that differs is one to a different request.
    pub fn granted(&mut self, command: Uuid, answer: A) {
        self.under_way.remove(&command);
        if !self.answers.contains(&answer) {
            self.answers.push(answer);
        }
    }

    /// It cannot be had.
    pub fn refused(&mut self, command: Uuid) {
        self.under_way.remove(&command);
        self.refused = true;
    }

    /// Requests that have no answer by now will have none. After several attempts a refusal does not tell the customer
    /// what an earlier attempt did, so the customer is to ask again.
    pub fn lose_patience(&mut self) {
        if !std::mem::take(&mut self.under_way).is_empty() {
            self.refused = false;
        }
    }

    /// Whether it is still to be asked for.
    pub fn is_open(&self) -> bool {
        self.answers.is_empty() && !self.refused
    }

    /// The answers that differ; more than one means that one wish was granted twice.
    pub fn answers(&self) -> &[A] {
        &self.answers
    }
}
