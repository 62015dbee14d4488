//! The provider: an umpire who calls balls in or out.

use std::{collections::BTreeMap, sync::Arc};

use engine::{Attempt, Resolution};
use event::EffectId;
use quintet_test::simulation::{Environment, Faulty, Provider, Providers};
use uuid::Uuid;

/// The umpire's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    In,
    Out,
}

/// The umpire behind faults.
pub struct Umpire(Faulty<Book>);

/// The umpire's book.
struct Book {
    environment: Arc<Environment>,
    /// The calls, by idempotency key.
    calls: BTreeMap<String, Call>,
    /// How often each rally was judged.
    judged: BTreeMap<Uuid, usize>,
    /// The injected bug.
    ignores_keys: bool,
}

/// A request to the umpire.
pub struct Question {
    key: String,
    rally: Uuid,
}

impl Provider for Book {
    type Request = Question;
    type Answer = Call;

    fn key(question: &Question) -> String {
        question.key.clone()
    }

    fn answer(&mut self, question: &Question) -> Result<Call, &'static str> {
        let known = self.calls.get(&question.key).copied().filter(|_| !self.ignores_keys);
        Ok(known.unwrap_or_else(|| {
            let call = [Call::In, Call::Out][self.environment.dice().index(2)];
            self.calls.insert(question.key.clone(), call);
            *self.judged.entry(question.rally).or_default() += 1;
            call
        }))
    }

    fn words(call: &Call) -> String {
        format!("{call:?}").to_lowercase()
    }

    fn look_up(&self, effect: EffectId, _: &str) -> Option<Resolution> {
        let outcome = Self::words(self.calls.get(&effect.to_string())?);
        Some(Resolution { outcome, reference: None, reason: None })
    }
}

impl Umpire {
    pub fn new(environment: Arc<Environment>, ignores_keys: bool) -> Self {
        let (calls, judged) = (BTreeMap::new(), BTreeMap::new());
        let book = Book { environment: Arc::clone(&environment), calls, judged, ignores_keys };
        Self(Faulty::new(environment, book))
    }

    pub fn judge(&self, key: EffectId, rally: Uuid) -> Attempt<Call> {
        let what = format!("judge {}", self.0.environment().name(rally));
        self.0.ask(&what, Question { key: key.to_string(), rally })
    }

    /// A rally that was judged more than once.
    pub fn judged_twice(&self) -> Option<Uuid> {
        self.0.read(|book| {
            let mut twice = book.judged.iter().filter(|(_, times)| **times > 1);
            twice.next().map(|(rally, _)| *rally)
        })
    }
}

impl Providers for Umpire {
    fn arrive(&self) -> bool {
        self.0.arrive()
    }

    fn look_up(&self, effect: EffectId, name: &str) -> Resolution {
        self.0.look_up(effect, name)
    }
}
