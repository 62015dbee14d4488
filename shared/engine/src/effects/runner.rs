use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use clock::{Clock, Random};
use event::EffectId;
use store::{Db, StoreError};
use tokio::task::{Id, JoinSet};

use super::{
    answers::Next,
    attempts::{Ended, Started},
    breaker::Breaker,
    isolation::Isolation,
    jumps::Jumps,
    patience::Patience,
    queue::EffectQueue,
    rows::{self, Claimed, Class, PutOff},
    schedule::{Gate, Pick, Slots},
};
use crate::{Metrics, Outside, Participant, Settings, Work, claim::Mender, settings::Moment};

/// How many effects a class, or a failing key, may have waiting in memory for each of its slots. Others are left to the
/// table.
const CLAIMED_AHEAD: usize = 8;

/// The shortest pause before the runner looks for work without being woken.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// An attempt counts as slow if it fails after at least one part in this many of the time-out.
pub(super) const SLOW_SHARE: u32 = 5;

/// After how long an effect that was trimmed from memory is due again; each further one [`TRIMMED_EACH`] later.
const TRIMMED: Duration = Duration::from_secs(1);
const TRIMMED_EACH: Duration = Duration::from_millis(20);

/// Attempts effects, a bounded number at once.
pub struct EffectRunner<P: Participant> {
    db: Db,
    pub(super) outside: Arc<dyn Outside<P>>,
    pub(super) queue: Arc<EffectQueue<P>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) settings: Settings,
    pub(super) metrics: Arc<Metrics>,
    pub(super) breaker: Breaker,
    pub(super) keys: Isolation,
    pub(super) patience: Patience,
    pub(super) slots: Slots,
    /// Whether the last pick among fresh effects was the newest key.
    newest: bool,
    /// When the table is queried even if nothing woke the runner; by the steady clock.
    pub(super) next_poll: Duration,
    mender: Mender,
    jumps: Jumps,
    /// An outage is over, and the effects that were put off meanwhile are to be made due.
    pub(super) outage_over: bool,
    pub(super) running: JoinSet<Ended<P>>,
    /// The attempts under way, by task, so that an attempt that panics gives its slot back.
    pub(super) started: HashMap<Id, Started>,
    /// Effects that are put off, until that is stored.
    pub(super) put_off: Vec<PutOff>,
    /// Definite answers, until the engine takes them.
    pub(super) answered: Vec<Work<P>>,
}

/// What the engine gives to its runner.
pub(crate) struct RunnerParts<P: Participant> {
    pub(crate) db: Db,
    pub(crate) queue: Arc<EffectQueue<P>>,
    pub(crate) outside: Arc<dyn Outside<P>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: Settings,
    pub(crate) metrics: Arc<Metrics>,
}

impl<P: Participant> EffectRunner<P> {
    pub(crate) fn new(parts: RunnerParts<P>) -> Self {
        let RunnerParts { db, queue, outside, clock, random, settings, metrics } = parts;
        let total = settings.effects_concurrency;
        let slow = settings.effects_timeout / SLOW_SHARE;
        Self {
            db,
            outside,
            queue,
            clock,
            random,
            metrics,
            breaker: Breaker::default(),
            keys: Isolation::new(Slots::of_key(total), slow),
            patience: Patience::new(settings.effects_timeout),
            slots: Slots::new(total),
            settings,
            newest: false,
            next_poll: Duration::ZERO,
            mender: Mender::default(),
            jumps: Jumps::default(),
            outage_over: false,
            running: JoinSet::new(),
            started: HashMap::new(),
            put_off: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// Attempts the effects that are due, waits until every attempt has ended, and returns the definite answers.
    ///
    /// # Errors
    /// If the database does not answer. Nothing is lost: the requests stay in their table.
    pub async fn step(&mut self) -> Result<Vec<Work<P>>, StoreError> {
        self.start().await?;
        while !self.running.is_empty() {
            self.join().await;
        }
        self.write_down().await?;
        Ok(self.answered())
    }

    /// How many attempts are under way.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// Starts as many attempts as there are slots for: first effects that wait in memory, then those that are due in
    /// the table. Also applies operators' resolutions, which need no slot.
    pub(crate) async fn start(&mut self) -> Result<(), StoreError> {
        let now = Moment::of(&*self.clock);
        self.mender.mend(&self.db, rows::ALL, now, self.settings.longest_pause()).await?;
        if self.jumps.is_set_back(now) {
            rows::release_after_set_back(&self.db, now.wall, self.settings.claim).await?;
            self.jumps.seen(now);
            self.next_poll = Duration::ZERO;
        }
        self.fill_slots(now);
        let time = self.next_poll <= now.steady;
        if time {
            self.next_poll = now.steady + self.settings.poll;
            self.apply_resolutions(now).await?;
        }
        // When a probe is due, there may be no effect in memory that could be the probe.
        let look = time || self.breaker.admits_probe(now.steady);
        if self.may_attempt(now) && (self.queue.overflow.swap(false, Ordering::AcqRel) || look) {
            self.claim_due(now).await?;
            self.fill_slots(now);
        }
        self.make_room(now);
        self.trim();
        Ok(())
    }

    /// How long the runner has nothing to start unless it is woken.
    pub(crate) fn pause(&self) -> Duration {
        let until = self.breaker.next_probe().unwrap_or(Duration::MAX).min(self.next_poll);
        let until = self.next_cut().unwrap_or(Duration::MAX).min(until);
        let pause = until.saturating_sub(self.clock.steady());
        pause.clamp(SHORTEST_PAUSE, self.settings.poll)
    }

    pub(super) fn gate(&self, now: Moment) -> Gate {
        let open = !self.breaker.is_open() || self.breaker.admits_probe(now.steady);
        if open { Gate::Open } else { Gate::Closed }
    }

    /// Whether more effects should be claimed: a slot is free, and the breaker lets every key through.
    fn may_attempt(&self, now: Moment) -> bool {
        let free = self.slots.free(Class::Fresh) + self.slots.free(Class::Retry);
        free > 0 && self.gate(now) == Gate::Open
    }

    /// Applies the outcomes that operators reported. The provider is not asked, so this needs no slot.
    async fn apply_resolutions(&mut self, now: Moment) -> Result<(), StoreError> {
        for mut claimed in rows::resolved::<P>(&self.db, now, &self.settings).await? {
            let Some(resolution) = claimed.resolution.take() else { continue };
            match P::resolve(&claimed.effect, &resolution) {
                Ok(outcome) => {
                    crate::crash_point!(ResolutionTaken, &claimed.resolved());
                    self.answered.push(self.outcome(claimed, outcome));
                }
                Err(why) => {
                    let (effect_id, aggregate_id) = (claimed.id, claimed.aggregate);
                    tracing::error!(%effect_id, %aggregate_id, %why, "cannot apply an operator's resolution");
                }
            }
        }
        Ok(())
    }

    async fn claim_due(&mut self, now: Moment) -> Result<(), StoreError> {
        let ahead = |slots: usize| slots * CLAIMED_AHEAD;
        let (fresh, retries) = {
            let waiting = self.queue.waiting();
            let all = ahead(self.settings.effects_concurrency);
            let fresh = all.saturating_sub(waiting.fresh.len());
            (fresh, ahead(self.slots.retries()).saturating_sub(waiting.retries.len()))
        };
        for (class, limit) in [(Class::Fresh, fresh), (Class::Retry, retries)] {
            if limit == 0 || self.slots.free(class) == 0 {
                continue;
            }
            let mut due = rows::due(&self.db, class, limit, now, &self.settings).await?;
            self.queue.overflow.fetch_or(due.len() == limit, Ordering::AcqRel);
            // After the wall clock was set forward, claims seem to have ended, and the query also returns effects that
            // this process is attempting.
            let running: HashSet<EffectId> = self.started.values().map(|it| it.effect).collect();
            due.retain(|claimed: &Claimed<P>| !running.contains(&claimed.id));
            self.queue.extend(due);
        }
        Ok(())
    }

    /// Fresh effects go first; retries have a quota of their own.
    fn fill_slots(&mut self, now: Moment) {
        for class in [Class::Fresh, Class::Retry] {
            while self.slots.free(class) > 0 {
                let (gate, pick) = (self.gate(now), self.pick_of(class));
                let (slots, keys) = (&self.slots, &self.keys);
                let admits = |key: &Arc<str>| slots.admits(class, key, keys, gate);
                let Some(next) = self.queue.waiting().pop(class, pick, admits) else { break };
                // An effect whose claim ends before its attempt could is left to the table.
                if next.claim.outlasts(self.settings.effects_timeout, now.steady) {
                    self.spawn(next);
                }
            }
        }
    }

    /// The key that has waited longest is next. While any key fails, every second pick among the fresh effects is the
    /// newest key, because the keys before it may hang for the same reason.
    fn pick_of(&mut self, class: Class) -> Pick {
        if class == Class::Retry || !self.keys.any_fails() {
            return Pick::Oldest;
        }
        self.newest = !self.newest;
        if self.newest { Pick::Newest } else { Pick::Oldest }
    }

    /// Removes effects from memory that would wait in vain: those beyond what a failing key, or all retries, may have
    /// waiting. They are due again in the table a little later.
    fn trim(&mut self) {
        let mut waiting = self.queue.waiting();
        let most = |slots: usize| slots * CLAIMED_AHEAD;
        let (keys, retries) = (&self.keys, most(self.slots.retries()));
        // This runs with every batch, and usually no key fails. Then no key need be looked at.
        if !keys.any_fails() && waiting.retries.len() <= retries {
            return;
        }
        let of_key = |key: &Arc<str>| match keys.failures(key) {
            0 => usize::MAX,
            _ => most(keys.slots(key)),
        };
        let mut excess = waiting.trim(Class::Fresh, of_key);
        excess.extend(waiting.trim(Class::Retry, |key| of_key(key).min(retries)));
        drop(waiting);
        for (place, claimed) in excess.into_iter().enumerate() {
            let waits = TRIMMED_EACH * u32::try_from(place).unwrap_or(u32::MAX);
            let pause = (TRIMMED + waits).min(self.settings.backoff_max);
            let (attempts, why) = (claimed.attempts, claimed.last_error.clone());
            self.put_off(&claimed, Next { attempts, pause, why, held_at: None });
        }
    }

    /// Waits until an attempt ends, then processes all that have ended. Cancel safe: an attempt that has ended stays in
    /// the set until it is processed.
    pub(crate) async fn join(&mut self) {
        if let Some(first) = self.running.join_next_with_id().await {
            self.joined(first);
        }
        while let Some(next) = self.running.try_join_next_with_id() {
            self.joined(next);
        }
    }

    /// Takes the outcomes of the attempts that were answered.
    pub(crate) fn answered(&mut self) -> Vec<Work<P>> {
        std::mem::take(&mut self.answered)
    }

    /// Stores which effects had no answer, and when each is attempted next. After an error they stay in memory for the
    /// next call.
    pub(crate) async fn write_down(&mut self) -> Result<(), StoreError> {
        if !self.put_off.is_empty() {
            crate::crash_point!(BeforeHold, &rows::held(&self.put_off));
            rows::put_off(&self.db, &self.put_off).await?;
            crate::crash_point!(AfterHold, &rows::held(&self.put_off));
            self.put_off.clear();
        }
        if self.outage_over {
            rows::release_put_off(&self.db, self.clock.now(), self.settings.claim).await?;
            self.outage_over = false;
            self.next_poll = Duration::ZERO;
        }
        Ok(())
    }
}
