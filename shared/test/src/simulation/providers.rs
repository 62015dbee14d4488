//! Providers in memory, with the faults between them and the services.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::{Attempt, Resolution};
use event::EffectId;

use super::{Environment, schedule::Fault};

/// The outside world of a saga: all providers that its services send requests to.
///
/// A saga usually implements it for a struct with one or several [`Faulty`] providers.
pub trait Providers: Send + Sync + 'static {
    /// The outside world of a saga without providers; `None` if the saga has some.
    #[doc(hidden)]
    #[must_use]
    fn none() -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Delivers a late request, which its service has given up, to its provider. Returns whether there was one.
    fn arrive(&self) -> bool {
        false
    }

    /// The outcome of a held request that an operator finds at the provider. If the provider does not know the request, the
    /// operator has it barred there and reports [`Resolution::NEVER_ARRIVED`].
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

/// A provider, or several with one ledger, that always answers. [`Faulty`] adds the faults.
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
    /// A request.
    type Request: Send;
    /// A definite answer.
    type Answer;

    /// The idempotency key of a request: the [`EffectId`] as text.
    fn key(request: &Self::Request) -> String;

    /// Carries out a request, once under each idempotency key, and answers it.
    ///
    /// # Errors
    /// Why there is no definite answer, in a few words.
    fn answer(&mut self, request: &Self::Request) -> Result<Self::Answer, &'static str>;

    /// The text for an answer in the story.
    fn words(answer: &Self::Answer) -> String;

    /// The outcome of this request; `None` if the provider does not know it.
    fn look_up(&self, effect: EffectId, name: &str) -> Option<Resolution>;
}

/// A provider behind faults: requests are refused, requests arrive late, and answers are lost.
pub struct Faulty<P: Provider> {
    environment: Arc<Environment>,
    state: Mutex<State<P>>,
}

struct State<P: Provider> {
    provider: P,
    /// Requests that have not arrived yet, although their service has given them up.
    late: Vec<Late<P::Request>>,
    /// Idempotency keys that an operator has barred: requests under them are refused.
    barred: BTreeSet<String>,
}

/// A request that arrives late.
struct Late<R> {
    /// The text for it in the story.
    what: String,
    request: R,
}

impl<P: Provider> State<P> {
    fn answer(&mut self, request: &P::Request) -> Result<P::Answer, &'static str> {
        if self.barred.contains(&P::key(request)) {
            return Err("403, the key is barred");
        }
        self.provider.answer(request)
    }
}

/// The text for an answer in the story, or why there is none.
fn words<P: Provider>(answer: &Result<P::Answer, &'static str>) -> String {
    answer.as_ref().map_or_else(|why| (*why).to_owned(), P::words)
}

impl<P: Provider> Faulty<P> {
    /// Puts faults in front of a provider.
    pub fn new(environment: Arc<Environment>, provider: P) -> Self {
        let state = State { provider, late: Vec::new(), barred: BTreeSet::new() };
        Self { environment, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state that all parts of the run share.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Reads from the provider itself, without faults.
    pub fn read<T>(&self, read: impl FnOnce(&P) -> T) -> T {
        read(&self.state().provider)
    }

    /// An attempt of a service, which may meet the fault of the step. `what` is the text for the request in the story.
    pub fn ask(&self, what: &str, request: P::Request) -> Attempt<P::Answer> {
        let no_answer = |why: &str| Attempt::NoAnswer(why.to_owned());
        let (answer, attempt) = match self.environment.fault() {
            Some(Fault::Refused) => ("503".to_owned(), no_answer("503")),
            Some(Fault::Malformed) => ("400".to_owned(), Attempt::Refused("400".to_owned())),
            Some(Fault::Late) => {
                self.state().late.push(Late { what: what.to_owned(), request });
                ("no answer, it is late".to_owned(), no_answer("no answer in time"))
            }
            lost => {
                let answer = self.state().answer(&request);
                let text = words::<P>(&answer);
                match (lost, answer) {
                    (_, Err(why)) => (text, no_answer(why)),
                    (None, Ok(answer)) => (text, Attempt::Answered(answer)),
                    (Some(_), Ok(_)) => (format!("{text}, the answer is lost"), no_answer("504")),
                }
            }
        };
        self.environment.note(format!("{what} → {answer}"));
        attempt
    }

    /// Delivers a late request. Returns whether there was one.
    pub fn arrive(&self) -> bool {
        let mut state = self.state();
        if state.late.is_empty() {
            return false;
        }
        let nth = self.environment.dice().index(state.late.len());
        let Late { what, request } = state.late.swap_remove(nth);
        let answer = words::<P>(&state.answer(&request));
        self.environment.note(format!("{what}, long given up, arrives → {answer}"));
        true
    }

    /// The outcome of a held request that an operator finds at the provider. A request that the provider does not know is
    /// barred from now on, so that it cannot be carried out after the operator's report.
    pub fn look_up(&self, effect: EffectId, name: &str) -> Resolution {
        let mut state = self.state();
        state.provider.look_up(effect, name).unwrap_or_else(|| {
            state.barred.insert(effect.to_string());
            never_arrived()
        })
    }
}

fn never_arrived() -> Resolution {
    let outcome = Resolution::NEVER_ARRIVED.to_owned();
    Resolution { outcome, reference: None, reason: None }
}
