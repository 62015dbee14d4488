use async_trait::async_trait;
use event::{EffectId, Trace};

use crate::{Never, Participant};

/// The outside world of a service.
#[async_trait]
pub trait Outside<P: Participant>: Send + Sync {
    /// Makes one attempt, with `id` as its idempotency key. The engine drops an attempt that takes longer than the
    /// settings allow.
    async fn attempt(&self, id: EffectId, effect: P::Effect, trace: Trace) -> Attempt<P::Outcome>;
}

/// The outside world of a service that makes no requests.
#[derive(Debug, Clone, Copy)]
pub struct NoEffects;

#[async_trait]
impl<P: Participant<Effect = Never>> Outside<P> for NoEffects {
    async fn attempt(&self, _: EffectId, effect: Never, _: Trace) -> Attempt<P::Outcome> {
        match effect {}
    }
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt<O> {
    /// A definite answer.
    Answered(O),
    /// No answer, or none that is definite: a time-out, a refused connection, 401, 404, 429, 5xx. The same request goes
    /// out again under the same key.
    NoAnswer(String),
    /// The outside world says that the request itself is wrong: 400, 413, 422, 431 and the like. Repeating it
    /// soon is pointless, so it is held for an operator.
    Refused(String),
}

impl<O> Attempt<O> {
    /// All values of [`Self::result`].
    pub(crate) const RESULTS: [&str; 3] = ["answered", "no_answer", "refused"];

    /// The name of the result in metrics.
    pub(crate) fn result(&self) -> &'static str {
        match self {
            Self::Answered(_) => Self::RESULTS[0],
            Self::NoAnswer(_) => Self::RESULTS[1],
            Self::Refused(_) => Self::RESULTS[2],
        }
    }

    /// The same result, with a definite answer mapped by `to`.
    pub fn map<T>(self, to: impl FnOnce(O) -> T) -> Attempt<T> {
        match self {
            Self::Answered(outcome) => Attempt::Answered(to(outcome)),
            Self::NoAnswer(why) => Attempt::NoAnswer(why),
            Self::Refused(why) => Attempt::Refused(why),
        }
    }
}
