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
    schedule::{FairQueue, Pick},
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

/// The effects that wait, fresh ones apart from retries.
pub(super) struct Waiting<P: Participant> {
    pub(super) fresh: FairQueue<Arc<str>, Claimed<P>>,
    pub(super) retries: FairQueue<Arc<str>, Claimed<P>>,
    /// All effects that wait, with their latest claims. They keep an effect from waiting twice.
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
        pick: Pick,
        admits: impl Fn(&Arc<str>) -> bool,
    ) -> Option<Claimed<P>> {
        let mut claimed = self.of(class).pop(pick, admits)?;
        self.end_claim(&mut claimed);
        Some(claimed)
    }

    /// The effect waits no longer, and takes its latest claim along.
    fn end_claim(&mut self, claimed: &mut Claimed<P>) {
        if let Some(claim) = self.claims.remove(&claimed.id) {
            claimed.claim = claim;
        }
    }

    /// How many admitted keys have effects of this class.
    pub(super) fn keys(&mut self, class: Class, admits: impl Fn(&Arc<str>) -> bool) -> usize {
        self.of(class).keys(admits)
    }

    /// Removes the effects of each key beyond its `most` oldest, and returns them.
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
    /// The queue holds many times more effects than run at once, so that those of a full batch go out without a query.
    /// Effects whose claims end before a slow provider gets to them are left to the table.
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

    /// Hands over the claimed ones of the `requested` effects. The others wait in the table.
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

    /// Hands over effects that were claimed from the table.
    pub(super) fn extend(&self, claimed: Vec<Claimed<P>>) {
        let mut waiting = self.waiting();
        for next in claimed {
            waiting.push(next);
        }
    }

    /// Makes the runner query the table at once.
    pub(crate) fn look_at_table(&self) {
        self.overflow.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}
