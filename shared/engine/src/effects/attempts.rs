//! Runs attempts, and ends slow ones when other effects wait for their slots.

use std::{sync::Arc, time::Duration};

use event::EffectId;
use tokio::{sync::Notify, time::timeout};
use tracing::Instrument;

use super::{
    rows::{Claimed, Class},
    runner::{EffectRunner, SLOW_SHARE},
    schedule::Slots,
};
use crate::{Attempt, Effect, Participant, settings::Moment, telemetry::AttemptSpan};

/// What the runner knows of an attempt under way.
pub(super) struct Started {
    pub(super) effect: EffectId,
    pub(super) class: Class,
    pub(super) key: Arc<str>,
    /// From when on it gives up its slot if other effects wait, by [`clock::Clock::steady`].
    yields_at: Duration,
    /// Ends the attempt without an answer. `None` once that was requested.
    cut: Option<Arc<Notify>>,
}

/// An attempt that has ended.
pub(super) struct Ended<P: Participant> {
    pub(super) claimed: Claimed<P>,
    pub(super) attempt: Attempt<P::Outcome>,
    pub(super) took: Duration,
}

impl<P: Participant> EffectRunner<P> {
    pub(super) fn spawn(&mut self, mut claimed: Claimed<P>) {
        self.breaker.probing();
        let (effect, key) = (claimed.id, Arc::clone(&claimed.key));
        let class = Slots::taken_by(claimed.class(), &key, &self.keys);
        self.slots.started(class, &key);
        let (outside, limit) = (Arc::clone(&self.outside), self.settings.effects_timeout);
        let (clock, metrics) = (Arc::clone(&self.clock), Arc::clone(&self.metrics));
        let yields_at = clock.steady().saturating_add(self.patience.with(claimed.attempts));
        let cut = Arc::new(Notify::new());
        let is_cut = Arc::clone(&cut);
        let task = self.running.spawn(async move {
            let started = clock.steady();
            let span = AttemptSpan::open(&claimed.trace, &claimed.effect, claimed.attempts + 1);
            let mut key = claimed.id;
            if crate::inject_bug!(KeyPerAttempt) {
                let nth = u32::try_from(claimed.attempts).unwrap_or(0);
                key = event::derived(key.into(), key.into(), "attempt", nth).into();
            }
            crate::crash_point!(BeforeAttempt, &claimed.attempted());
            let attempt = outside.attempt(key, claimed.effect.clone(), span.trace().clone());
            let answer = tokio::select! {
                biased;
                answer = timeout(limit, attempt.instrument(span.span())) => Some(answer),
                () = is_cut.notified() => None,
            };
            crate::crash_point!(AfterAttempt, &claimed.attempted());
            let took = clock.steady().saturating_sub(started);
            let (attempt, took) = match answer {
                Some(Ok(attempt)) => (attempt, took),
                Some(Err(_)) => {
                    (Attempt::NoAnswer(format!("no answer within {limit:?}")), took.max(limit))
                }
                None => {
                    let why = format!("no answer within {took:?}, and other requests wait");
                    (Attempt::NoAnswer(why), took.max(limit / SLOW_SHARE))
                }
            };
            metrics.attempted(claimed.effect.kind(), attempt.result(), took);
            // What follows from the answer belongs to this attempt's span.
            claimed.trace = span.end(&attempt);
            Ended { claimed, attempt, took }
        });
        let started = Started { effect, class, key, yields_at, cut: Some(cut) };
        self.started.insert(task.id(), started);
    }

    /// Ends attempts that take much longer than answers usually do, as many as other effects need slots. An ended
    /// attempt is repeated under the same idempotency key, with more patience.
    pub(super) fn make_room(&mut self, now: Moment) {
        for class in [Class::Fresh, Class::Retry] {
            let mut wanted = self.kept_waiting(class, now);
            if wanted == 0 {
                continue;
            }
            let of_class = self.started.values_mut().filter(|it| it.class == class);
            let (cut, mut others): (Vec<_>, Vec<_>) = of_class.partition(|it| it.cut.is_none());
            wanted = wanted.saturating_sub(cut.len());
            others.retain(|it| it.yields_at <= now.steady);
            others.sort_by_key(|it| it.yields_at);
            for attempt in others.into_iter().take(wanted) {
                if let Some(cut) = attempt.cut.take() {
                    cut.notify_one();
                }
            }
        }
    }

    /// When the next attempt gives up its slot. `None` if no effect waits for one.
    pub(super) fn next_cut(&self) -> Option<Duration> {
        let now = Moment::of(&*self.clock);
        let waits = |class| self.kept_waiting(class, now) > 0;
        let (fresh, retries) = (waits(Class::Fresh), waits(Class::Retry));
        let running = self.started.values().filter(|it| it.cut.is_some());
        let yields = running.filter(|it| match it.class {
            Class::Fresh => fresh,
            Class::Retry => retries,
        });
        yields.map(|it| it.yields_at).min()
    }

    /// How many keys have a waiting effect of this class that lacks nothing but a free slot of this class.
    fn kept_waiting(&self, class: Class, now: Moment) -> usize {
        let gate = self.gate(now);
        if self.slots.has_room(class, gate) {
            return 0;
        }
        let (slots, keys) = (&self.slots, &self.keys);
        let lacks = |key: &Arc<str>| {
            Slots::taken_by(class, key, keys) == class && slots.would_admit(class, key, keys, gate)
        };
        self.queue.waiting().keys(class, lacks)
    }
}
