//! The desk in memory, behind faults: requests are refused, requests arrive late, and answers are lost.

use std::sync::Arc;

use quintet::{
    Attempt, Effect as _, EffectId, Outside, Resolution, Trace, async_trait, serde_json::Value,
};
use quintet_test::simulation::{Environment, Faulty, Provider, Providers};
use trip::{
    desk::{Answer, Ask, Desk},
    supplier::{Supplier, Supplies},
};

/// A request with its idempotency key.
pub struct Request {
    key: String,
    ask: Ask,
}

/// The real desk without its server.
pub struct InMemory(Desk);

impl Provider for InMemory {
    type Request = Request;
    type Answer = Answer;

    fn key(request: &Request) -> String {
        request.key.clone()
    }

    fn answer(&mut self, request: &Request) -> Result<Answer, &'static str> {
        Ok(self.0.ask(&request.key, &request.ask))
    }

    fn words(answer: &Answer) -> String {
        match answer {
            Answer::Reserved { reference } => format!("reserved {reference}"),
            Answer::Refused { .. } => "refused".to_owned(),
            Answer::Released => "released".to_owned(),
        }
    }

    fn look_up(&self, effect: EffectId, _: &str) -> Option<Resolution> {
        let (outcome, reference, reason) = match self.0.known(&effect.to_string())?.clone() {
            Answer::Reserved { reference } => ("reserved", Some(reference), None),
            Answer::Refused { reason } => ("refused", None, Some(reason)),
            Answer::Released => ("released", None, None),
        };
        Some(Resolution { outcome: outcome.to_owned(), reference, reason })
    }
}

/// The outside world of a run.
pub struct World(Faulty<InMemory>);

impl World {
    pub fn new(environment: Arc<Environment>) -> Self {
        Self(Faulty::new(environment, InMemory(Desk::default())))
    }

    /// The rows about reservations, as the desk's server lists them.
    pub fn held(&self) -> Vec<Value> {
        self.0.read(|desk| desk.0.held())
    }
}

impl Providers for World {
    fn arrive(&self) -> bool {
        self.0.arrive()
    }

    fn look_up(&self, effect: EffectId, name: &str) -> Resolution {
        self.0.look_up(effect, name)
    }
}

/// A supplier's access to the desk.
pub struct ToDesk {
    world: Arc<World>,
    /// An injected bug: a request without an answer counts as refused.
    doubt_is_no: bool,
}

impl ToDesk {
    pub fn outside<S: Supplies>(
        world: &Arc<World>,
        doubt_is_no: bool,
    ) -> Arc<dyn Outside<Supplier<S>>> {
        Arc::new(Self { world: Arc::clone(world), doubt_is_no })
    }
}

#[async_trait]
impl<S: Supplies> Outside<Supplier<S>> for ToDesk {
    async fn attempt(&self, id: EffectId, ask: Ask, _: Trace) -> Attempt<Answer> {
        let desk = &self.world.0;
        let trip = desk.environment().name(ask.aggregate().uuid());
        let (kind, of_reserve) = (ask.kind(), matches!(ask, Ask::Reserve { .. }));
        let what = format!("{kind} {} of {trip}", S::KIND);
        match desk.ask(&what, Request { key: id.to_string(), ask }) {
            Attempt::NoAnswer(reason) if self.doubt_is_no && of_reserve => {
                Attempt::Answered(Answer::Refused { reason })
            }
            attempt => attempt,
        }
    }
}
