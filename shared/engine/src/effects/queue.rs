use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use event::EffectId;
use tokio::sync::Notify;

use super::{
    rows::{ClaimEnd, Claimed, Class},
    schedule::{FairQueue, Turn},
};
use crate::Participant;

/// Claimed effects on their way from the engine, or from the table, to the runner.
pub(crate) struct EffectQueue<P: Participant> {
    waiting: Mutex<Waiting<P>>,
    limit: usize,
    /// There may be rows in the table that no process has claimed.
    pub(crate) overflow: AtomicBool,
    pub(crate) wake: Notify,
}

/// What waits, fresh effects apart from retries.
pub(super) struct Waiting<P: Participant> {
    pub(super) fresh: FairQueue<Arc<str>, Claimed<P>>,
    pub(super) retries: FairQueue<Arc<str>, Claimed<P>>,
    /// What waits, so that nothing waits twice, with its latest claim.
    claims: HashMap<EffectId, ClaimEnd>,
}

impl<P: Participant> Waiting<P> {
    fn of(&mut self, class: Class) -> &mut FairQueue<Arc<str>, Claimed<P>> {
        match class {
            Class::Fresh => &mut self.fresh,
            Class::Retry => &mut self.retries,
        }
    }

    fn push(&mut self, claimed: Claimed<P>) {
        if self.claims.insert(claimed.id, claimed.claim).is_none() {
            let key = Arc::clone(&claimed.key);
            self.of(claimed.class()).push(key, claimed);
        }
    }

    /// The next effect of this class whose key is admitted.
    pub(super) fn pop(
        &mut self,
        class: Class,
        turn: Turn,
        admits: impl Fn(&Arc<str>) -> bool,
    ) -> Option<Claimed<P>> {
        let mut claimed = self.of(class).pop(turn, admits)?;
        self.end_claim(&mut claimed);
        Some(claimed)
    }

    /// It waits no more: its claim is the latest.
    fn end_claim(&mut self, claimed: &mut Claimed<P>) {
        if let Some(claim) = self.claims.remove(&claimed.id) {
            claimed.claim = claim;
        }
    }

    /// How many keys that are admitted have effects of this class.
    pub(super) fn keys(&mut self, class: Class, admits: impl Fn(&Arc<str>) -> bool) -> usize {
        self.of(class).keys(admits)
    }

    /// Takes out what is more than `most` effects of a key.
    pub(super) fn trim(
        &mut self,
        class: Class,
        most: impl Fn(&Arc<str>) -> usize,
    ) -> Vec<Claimed<P>> {
        let mut excess = self.of(class).trim(most);
        for claimed in &mut excess {
            self.end_claim(claimed);
        }
        excess
    }
}

impl<P: Participant> EffectQueue<P> {
    /// Holds many times what runs at once, so that a full batch's effects go out without a look at the table.
    /// Effects that a slow provider does not get to before their claims end are left to the table.
    pub(crate) fn new(concurrency: usize) -> Self {
        let waiting = Waiting {
            fresh: FairQueue::default(),
            retries: FairQueue::default(),
            claims: HashMap::new(),
        };
        Self {
            waiting: Mutex::new(waiting),
            limit: concurrency * 64,
            overflow: AtomicBool::new(true),
            wake: Notify::new(),
        }
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting<P>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn room(&self) -> usize {
        self.limit.saturating_sub(self.waiting().fresh.len())
    }

    /// Hands over what was claimed of the `requested` effects; the others are in the table.
    pub(crate) fn push(&self, claimed: Vec<Claimed<P>>, requested: usize) {
        if requested == 0 {
            return;
        }
        if claimed.len() < requested {
            self.overflow.store(true, Ordering::Release);
        }
        self.extend(claimed);
        self.wake.notify_one();
    }

    /// Hands over what was claimed from the table.
    pub(super) fn extend(&self, claimed: Vec<Claimed<P>>) {
        let mut waiting = self.waiting();
        for next in claimed {
            waiting.push(next);
        }
    }

    /// Has the runner look at the table at once.
    pub(crate) fn look_at_table(&self) {
        self.overflow.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}
