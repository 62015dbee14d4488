//! The outside world in memory, and what goes wrong on the way to it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::{Attempt, Resolution};
use event::EffectId;

use super::{Environment, schedule::Fault};

/// The outside world of a saga: everything that its services ask.
///
/// A saga usually implements it for a struct of one or several [`Faulty`] providers.
pub trait Providers: Send + Sync + 'static {
    /// The outside world of a saga that has none.
    #[doc(hidden)]
    #[must_use]
    fn none() -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// A request that its service gave up reaches its provider; whether there was one.
    fn arrive(&self) -> bool {
        false
    }

    /// What an operator finds about a held request. If the provider does not know it, the operator has it barred
    /// there and reports [`Resolution::NEVER_ARRIVED`].
    fn look_up(&self, effect: EffectId, name: &str) -> Resolution;
}

impl Providers for () {
    fn none() -> Option<Self> {
        Some(())
    }

    fn look_up(&self, _: EffectId, _: &str) -> Resolution {
        never_arrived()
    }
}

/// One provider, or several with one ledger, that always answers: [`Faulty`] adds what goes wrong.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use engine::Resolution;
/// use event::EffectId;
/// use quintet_test::simulation::Provider;
///
/// /// An airline that numbers its seats. A seat is booked once under each key.
/// #[derive(Default)]
/// struct Airline {
///     seats: BTreeMap<String, usize>,
/// }
///
/// impl Provider for Airline {
///     type Request = String;
///     type Answer = usize;
///
///     fn key(request: &String) -> String {
///         request.clone()
///     }
///
///     fn answer(&mut self, request: &String) -> Result<usize, &'static str> {
///         let next = self.seats.len() + 1;
///         Ok(*self.seats.entry(request.clone()).or_insert(next))
///     }
///
///     fn words(seat: &usize) -> String {
///         format!("seat {seat}")
///     }
///
///     fn look_up(&self, effect: EffectId, _: &str) -> Option<Resolution> {
///         let reference = self.seats.get(&effect.to_string())?.to_string();
///         let outcome = "booked".to_owned();
///         Some(Resolution { outcome, reference: Some(reference), reason: None })
///     }
/// }
///
/// let mut airline = Airline::default();
/// assert_eq!(airline.answer(&"key".to_owned()), Ok(1));
/// assert_eq!(airline.answer(&"key".to_owned()), Ok(1));
/// ```
pub trait Provider: Send + 'static {
    /// What it is asked.
    type Request: Send;
    /// What it answers.
    type Answer;

    /// The idempotency key of a request: the [`EffectId`] as text.
    fn key(request: &Self::Request) -> String;

    /// Does what it is asked, once under each key.
    ///
    /// # Errors
    /// Why there is no definite answer, in a few words.
    fn answer(&mut self, request: &Self::Request) -> Result<Self::Answer, &'static str>;

    /// The story's words for an answer.
    fn words(answer: &Self::Answer) -> String;

    /// What it knows of this request, if anything.
    fn look_up(&self, effect: EffectId, name: &str) -> Option<Resolution>;
}

/// A provider behind a way on which requests are refused, come late, and answers are lost.
pub struct Faulty<P: Provider> {
    environment: Arc<Environment>,
    desk: Mutex<Desk<P>>,
}

struct Desk<P: Provider> {
    provider: P,
    /// Requests that are still on their way, though their service has given them up.
    late: Vec<Late<P::Request>>,
    /// Keys that an operator had barred: requests under them are refused.
    barred: BTreeSet<String>,
}

struct Late<R> {
    what: String,
    request: R,
}

impl<P: Provider> Desk<P> {
    fn answer(&mut self, request: &P::Request) -> Result<P::Answer, &'static str> {
        if self.barred.contains(&P::key(request)) {
            return Err("403, the key is barred");
        }
        self.provider.answer(request)
    }
}

/// An answer, or why there is none, in the story's words.
fn words<P: Provider>(answer: &Result<P::Answer, &'static str>) -> String {
    answer.as_ref().map_or_else(|why| (*why).to_owned(), P::words)
}

impl<P: Provider> Faulty<P> {
    /// A provider in this run.
    pub fn new(environment: Arc<Environment>, provider: P) -> Self {
        let desk = Desk { provider, late: Vec::new(), barred: BTreeSet::new() };
        Self { environment, desk: Mutex::new(desk) }
    }

    fn desk(&self) -> MutexGuard<'_, Desk<P>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all parts of the run share.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Looks at the provider itself.
    pub fn read<T>(&self, look: impl FnOnce(&P) -> T) -> T {
        look(&self.desk().provider)
    }

    /// One attempt of a service. It meets the fault of the step, and the story tells it as `what`.
    pub fn ask(&self, what: &str, request: P::Request) -> Attempt<P::Answer> {
        let no_answer = |why: &str| Attempt::NoAnswer(why.to_owned());
        let (told, attempt) = match self.environment.fault() {
            Some(Fault::Refused) => ("503".to_owned(), no_answer("503")),
            Some(Fault::Malformed) => ("400".to_owned(), Attempt::Refused("400".to_owned())),
            Some(Fault::Late) => {
                self.desk().late.push(Late { what: what.to_owned(), request });
                ("no answer, it is late".to_owned(), no_answer("no answer in time"))
            }
            lost => {
                let answer = self.desk().answer(&request);
                let told = words::<P>(&answer);
                match (lost, answer) {
                    (_, Err(why)) => (told, no_answer(why)),
                    (None, Ok(answer)) => (told, Attempt::Answered(answer)),
                    (Some(_), Ok(_)) => (format!("{told}, the answer is lost"), no_answer("504")),
                }
            }
        };
        self.environment.note(format!("{what} → {told}"));
        attempt
    }

    /// A request that is on its way arrives; whether there was one.
    pub fn arrive(&self) -> bool {
        let mut desk = self.desk();
        if desk.late.is_empty() {
            return false;
        }
        let nth = self.environment.dice().index(desk.late.len());
        let Late { what, request } = desk.late.swap_remove(nth);
        let told = words::<P>(&desk.answer(&request));
        self.environment.note(format!("{what}, long given up, arrives → {told}"));
        true
    }

    /// What an operator finds about a held request. A request that the provider does not know is barred from now on.
    pub fn look_up(&self, effect: EffectId, name: &str) -> Resolution {
        let mut desk = self.desk();
        desk.provider.look_up(effect, name).unwrap_or_else(|| {
            desk.barred.insert(effect.to_string());
            never_arrived()
        })
    }
}

fn never_arrived() -> Resolution {
    let outcome = Resolution::NEVER_ARRIVED.to_owned();
    Resolution { outcome, reference: None, reason: None }
}
