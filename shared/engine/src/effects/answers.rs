//! Handles attempts that have ended: the effect is answered, put off, or held for an operator.

use std::time::Duration;

use event::EffectId;
use jiff::Timestamp;
use tokio::task::{Id, JoinError};

use super::{
    attempts::{Ended, Started},
    rows::{Claimed, PutOff},
    runner::EffectRunner,
};
use crate::{
    Attempt, Effect, Input, Origin, Participant, What, Work,
    settings::{Moment, backoff, later, longest_pauses},
};

/// After an outage of at least this length, the effects that were put off meanwhile become due at once.
const OUTAGE: Duration = Duration::from_secs(1);

impl<P: Participant> EffectRunner<P> {
    pub(super) fn joined(&mut self, ended: Result<(Id, Ended<P>), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(Started { effect, class, key, .. }) = self.started.remove(&id) else { return };
        self.slots.ended(class, &key);
        match ended {
            Ok((_, ended)) => self.ended(ended),
            // The row stays claimed. The effect is attempted again when the claim ends.
            Err(error) => {
                tracing::error!(%error, "an effect's attempt panicked; it is repeated when its claim ends");
                self.failed(effect, &key, Duration::ZERO);
            }
        }
    }

    fn ended(&mut self, ended: Ended<P>) {
        let Ended { claimed, attempt, took } = ended;
        match attempt {
            Attempt::Answered(outcome) => {
                self.heard_from(&claimed);
                self.patience.answered(took);
                self.keys.answered(&claimed.key);
                self.answered.push(self.outcome(claimed, outcome));
            }
            Attempt::Refused(why) => {
                self.heard_from(&claimed);
                self.patience.answered(took);
                self.hold(&claimed, &why);
            }
            Attempt::NoAnswer(why) => {
                self.failed(claimed.id, &claimed.key, took);
                self.no_answer(&claimed, &why);
            }
        }
    }

    fn failed(&mut self, effect: EffectId, key: &str, took: Duration) {
        self.keys.failed(key, took);
        if self.breaker.failed(effect, self.clock.steady()) {
            tracing::warn!(
                "most requests to the outside world have no answer: only probes go out until one is answered"
            );
        }
    }

    /// Tells the breaker that the outside world answered. A refusal is an answer too.
    fn heard_from(&mut self, claimed: &Claimed<P>) {
        let Some(open_for) = self.breaker.answered(claimed.id, self.clock.steady()) else { return };
        tracing::info!(?open_for, "the outside world answers again");
        self.outage_over |= open_for >= OUTAGE;
    }

    pub(super) fn outcome(&self, claimed: Claimed<P>, outcome: P::Outcome) -> Work<P> {
        let what = What::Outcome(claimed.aggregate, outcome);
        let cause = claimed.id.into();
        let input = Input { cause, at: self.clock.now(), trace: claimed.trace, what };
        Work { input, origin: Origin::Outcome }
    }

    fn no_answer(&mut self, claimed: &Claimed<P>, why: &str) {
        let (why, attempts) = (one_line(why), claimed.attempts + 1);
        let pause = self.pause_after(attempts);
        let next = Next { attempts, pause, why: Some(why.clone()), held_at: None };
        let pause = self.put_off(claimed, next);
        let (aggregate_id, effect) = (claimed.aggregate, claimed.effect.name());
        let trace_id = claimed.trace.trace_id();
        tracing::warn!(%aggregate_id, trace_id, effect, attempts, ?pause, why, "no answer; will ask again");
    }

    /// The provider says that the request itself is wrong: repeating it soon is pointless.
    fn hold(&mut self, claimed: &Claimed<P>, why: &str) {
        let (why, attempts) = (one_line(why), claimed.attempts + 1);
        let (held_at, pause) = (Some(self.clock.now()), self.settings.backoff_max);
        let next = Next { attempts, pause, why: Some(why.clone()), held_at };
        let pause = self.put_off(claimed, next);
        let (aggregate_id, effect, effect_id) =
            (claimed.aggregate, claimed.effect.name(), claimed.id);
        let trace_id = claimed.trace.trace_id();
        tracing::warn!(
            %aggregate_id, trace_id, effect, %effect_id, attempts, ?pause, why,
            "the provider refuses the request itself; it is held for an operator"
        );
    }

    /// Records when the effect is attempted next, and returns how long that is from now.
    ///
    /// An effect that has had no answer for `hold_after` is held. The wall clock must say so, and the pauses after its
    /// attempts must add up to as much, because the wall clock may have been set forward.
    pub(super) fn put_off(&mut self, claimed: &Claimed<P>, next: Next) -> Duration {
        let now = Moment::of(&*self.clock);
        let held_at = claimed.held_at.or(next.held_at).or_else(|| {
            let hold_after = self.settings.hold_after;
            let overdue = later(claimed.created_at, hold_after) <= now.wall
                && longest_pauses(&self.settings, next.attempts) >= hold_after;
            overdue.then(|| {
                self.warn_overdue(claimed);
                now.wall
            })
        });
        let pause = if held_at.is_some() { self.pause_after(i64::MAX) } else { next.pause };
        self.next_poll = self.next_poll.min(now.steady.saturating_add(pause));
        self.put_off.push(PutOff {
            id: claimed.id,
            attempts: next.attempts,
            due_at: later(now.wall, pause),
            why: next.why,
            held_at,
            claim: claimed.claim,
        });
        pause
    }

    fn pause_after(&self, attempts: i64) -> Duration {
        let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        backoff(&self.settings, attempts, &*self.random)
    }

    fn warn_overdue(&self, claimed: &Claimed<P>) {
        let (aggregate_id, effect, effect_id) =
            (claimed.aggregate, claimed.effect.name(), claimed.id);
        let hold_after = self.settings.hold_after;
        tracing::warn!(
            %aggregate_id, effect, %effect_id, ?hold_after,
            "no answer for too long: the request is held for an operator, and repeated at the longest pause"
        );
    }
}

/// The next values of an effect that has no answer yet.
pub(super) struct Next {
    pub(super) attempts: i64,
    /// Ignored if the effect is held: then the pause is the longest, with jitter.
    pub(super) pause: Duration,
    pub(super) why: Option<String>,
    /// The time from which it is held, if this attempt is the reason.
    pub(super) held_at: Option<Timestamp>,
}

/// A provider's text on one line: `PostgreSQL` refuses NUL, and a line break would split a line of the log.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
