//! The customers and operators of a run.

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

/// The customers and operators of a saga. A workload is made for each run, with a source of randomness of its own.
#[async_trait]
pub trait Workload: Send + 'static {
    /// The actions that it can take, and how often it takes each.
    fn actions(&self) -> Actions;

    /// Changes the profile that the seed has drawn for the run, if the workload needs another one.
    fn shape(&self, _profile: &mut Profile) {}

    /// Prepares the services before the story begins. There are no faults yet.
    ///
    /// # Errors
    /// If a service cannot go on.
    async fn begin(&mut self, _clients: &mut Clients<'_>) -> Result<()> {
        Ok(())
    }

    /// Takes one of its actions. Returns the text for the story, or `None` if there was nothing to do.
    ///
    /// # Errors
    /// If a service cannot go on.
    async fn act(
        &mut self,
        action: &'static str,
        clients: &mut Clients<'_>,
    ) -> Result<Option<String>>;

    /// Receives the answers of the services, by [`Clients::hear`]. It is called after each step; answers that it does not
    /// receive then are dropped.
    ///
    /// # Errors
    /// If there is no such service.
    fn hear(&mut self, _clients: &mut Clients<'_>) -> Result<()> {
        Ok(())
    }

    /// Lets customers without an answer ask once more, and operators do what only they can do. It is called when the faults
    /// have ended and nothing happens by itself any more. Returns a line for the story for each act.
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
    /// The most stories that a run opens. It opens at least one.
    pub openings: u64,
    /// The actions that may happen at any time.
    pub others: Vec<Weighted>,
}

/// An action that may happen at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// How often it happens. For comparison: all batches together have the weight 90, all searches for alarms 4.
    pub weight: u64,
    /// The name of the action.
    pub name: &'static str,
}

/// The access of customers and operators to the services.
pub struct Clients<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) actors: &'a mut [Box<dyn Actor>],
}

impl Clients<'_> {
    /// The clock, the randomness and the names of the run.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        self.environment
    }

    /// Makes a command with a new id. Its name in the story is `command NAME`.
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

    /// The answers of a service since the last call.
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

    /// Lets a service apply all waiting inputs.
    ///
    /// # Errors
    /// If there is no such service, or it cannot go on.
    pub async fn apply_batches(&mut self, service: &str) -> Result<()> {
        let actor = find(self.actors, service)?;
        while actor.apply_batch(None).await?.is_some() {}
        Ok(())
    }

    /// Lets a service publish its outbox.
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

/// A customer's request. The customer repeats it under one idempotency key until it is answered.
#[derive(Clone, Debug)]
pub struct Wish<T, A> {
    /// Its name in the story, which is also its idempotency key.
    pub name: String,
    /// The body of the request.
    pub body: T,
    /// The different answers.
    answers: Vec<A>,
    refused: bool,
    /// The ids of all commands that were sent for it.
    asked: BTreeSet<Uuid>,
    /// The ids of those commands that have no answer.
    under_way: BTreeSet<Uuid>,
}

impl<T, A: PartialEq> Wish<T, A> {
    /// A wish for which no command was sent yet.
    pub fn new(name: impl Into<String>, body: T) -> Self {
        let (asked, under_way) = (BTreeSet::new(), BTreeSet::new());
        Self { name: name.into(), body, answers: Vec::new(), refused: false, asked, under_way }
    }

    /// The idempotency key of all its commands.
    pub fn key(&self) -> IdempotencyKey {
        IdempotencyKey { key: self.name.clone(), hash: [0; 32], sent: [0; 32] }
    }

    /// Notes that this command was sent for it.
    pub fn asked(&mut self, command: Uuid) {
        self.asked.insert(command);
        self.under_way.insert(command);
    }

    /// Whether this command was sent for it.
    pub fn was_asked_by(&self, command: Uuid) -> bool {
        self.asked.contains(&command)
    }

    /// Notes an answer. A second answer that differs from the first means that the service has carried out the wish twice.
    pub fn granted(&mut self, command: Uuid, answer: A) {
        self.under_way.remove(&command);
        if !self.answers.contains(&answer) {
            self.answers.push(answer);
        }
    }

    /// Notes that this command was refused.
    pub fn refused(&mut self, command: Uuid) {
        self.under_way.remove(&command);
        self.refused = true;
    }

    /// Gives up the commands that have no answer. A refusal is forgotten then: it does not tell the customer whether an
    /// earlier command, without an answer, was carried out, so the customer has to ask again.
    pub fn lose_patience(&mut self) {
        if !std::mem::take(&mut self.under_way).is_empty() {
            self.refused = false;
        }
    }

    /// Whether it has neither been answered nor refused.
    pub fn is_open(&self) -> bool {
        self.answers.is_empty() && !self.refused
    }

    /// The different answers. More than one means that the wish was carried out twice.
    pub fn answers(&self) -> &[A] {
        &self.answers
    }
}
