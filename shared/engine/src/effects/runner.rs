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
    schedule::{Gate, Slots, Turn},
};
use crate::{Metrics, Outside, Participant, Settings, Work, claim::Mender, settings::Moment};

/// How many times its slots a class, or a failing key, may have waiting in memory. More is left to the table.
const CLAIMED_AHEAD: usize = 8;

/// The shortest time between two looks at the table that nothing asked for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// An attempt that takes this share of the longest that it may, and then fails, has held up others.
pub(super) const SLOW_SHARE: u32 = 5;

/// An effect that is left to the table is looked at again after so long, and each one behind it so much later.
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
    /// Whether the last turn of a fresh effect was that of the newest key.
    newest: bool,
    /// When the table is looked at although nothing says that there is something in it.
    pub(super) next_poll: Duration,
    mender: Mender,
    jumps: Jumps,
    /// An outage is over: what was put off meanwhile is to be made due.
    pub(super) outage_over: bool,
    pub(super) running: JoinSet<Ended<P>>,
    /// What runs, by which an attempt that panics gives its slot back.
    pub(super) started: HashMap<Id, Started>,
    /// Rows to be written.
    pub(super) put_off: Vec<PutOff>,
    /// Definite answers to hand over.
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

    /// Attempts what is due and waits until every attempt has ended; returns the definite answers.
    ///
    /// # Errors
    /// If the database is away. Nothing is lost: the requests stay in their table.
    pub async fn step(&mut self) -> Result<Vec<Work<P>>, StoreError> {
        self.start().await?;
        while !self.running.is_empty() {
            self.join().await;
        }
        self.write_down().await?;
        Ok(self.answered())
    }

    /// Attempts that are under way.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// Starts as many attempts as there are slots for: what waits in memory, then what is due in the table. What an
    /// operator resolved needs no slot.
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
        // A probe that is due may have nothing in memory to go out with.
        let look = time || self.breaker.admits_probe(now.steady);
        if self.may_attempt(now) && (self.queue.overflow.swap(false, Ordering::AcqRel) || look) {
            self.claim_due(now).await?;
            self.fill_slots(now);
        }
        self.make_room(now);
        self.trim();
        Ok(())
    }

    /// How long there is nothing to start unless something wakes the runner.
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

    /// Whether it is worth to claim more: there are slots, and the breaker lets some key through.
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
            // After the wall clock was set forward, the table gives what this process has in hand.
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
                let (gate, turn) = (self.gate(now), self.turn_of(class));
                let (slots, keys) = (&self.slots, &self.keys);
                let admits = |key: &Arc<str>| slots.admits(class, key, keys, gate);
                let Some(next) = self.queue.waiting().pop(class, turn, admits) else { break };
                // One whose claim ends before an attempt would is left to the table.
                if next.claim.outlasts(self.settings.effects_timeout, now.steady) {
                    self.spawn(next);
                }
            }
        }
    }

    /// Keys take turns by their age. While some fail, every other turn of fresh effects is that of the newest
    /// key: those before it may be of the same kind, and hang.
    fn turn_of(&mut self, class: Class) -> Turn {
        if class == Class::Retry || !self.keys.any_fails() {
            return Turn::Oldest;
        }
        self.newest = !self.newest;
        if self.newest { Turn::Newest } else { Turn::Oldest }
    }

    /// Leaves to the table what waits in vain: too many effects of a key that has few slots, and too many
    /// retries.
    fn trim(&mut self) {
        let mut waiting = self.queue.waiting();
        let most = |slots: usize| slots * CLAIMED_AHEAD;
        let (keys, retries) = (&self.keys, most(self.slots.retries()));
        // As a rule no key fails, and this runs with every batch: then no key need be looked at.
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

    /// Waits for an attempt to end, then takes all that have. Cancel safe: what has ended is kept
    /// until it is settled.
    pub(crate) async fn join(&mut self) {
        if let Some(first) = self.running.join_next_with_id().await {
            self.joined(first);
        }
        while let Some(next) = self.running.try_join_next_with_id() {
            self.joined(next);
        }
    }

    /// Hands over the outcomes of the attempts that were answered.
    pub(crate) fn answered(&mut self) -> Vec<Work<P>> {
        std::mem::take(&mut self.answered)
    }

    /// Writes down what was not answered, and when it is asked again. After an error it keeps that for the next
    /// time.
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
