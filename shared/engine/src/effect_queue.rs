use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{Participant, effects::Claimed};

/// Claimed effects on their way from the engine to the runner.
pub(crate) struct EffectQueue<P: Participant> {
    waiting: Mutex<VecDeque<Claimed<P>>>,
    limit: usize,
    /// There may be rows in the table that nobody was handed.
    pub(crate) overflow: AtomicBool,
    pub(crate) wake: Notify,
}

impl<P: Participant> EffectQueue<P> {
    /// Holds many times what runs at once, so that a full batch's effects go out without a look at
    /// the table. What a slow provider does not get to before its claim ends is left to the table.
    pub(crate) fn new(concurrency: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            limit: concurrency * 64,
            overflow: AtomicBool::new(true),
            wake: Notify::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Claimed<P>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn room(&self) -> usize {
        self.limit.saturating_sub(self.waiting().len())
    }

    /// Hands over what was claimed of the `requested` effects; the others are in the table.
    pub(crate) fn push(&self, claimed: Vec<Claimed<P>>, requested: usize) {
        if requested == 0 {
            return;
        }
        if claimed.len() < requested {
            self.overflow.store(true, Ordering::Release);
        }
        self.waiting().extend(claimed);
        self.wake.notify_one();
    }

    /// Hands over what was claimed from the table.
    pub(crate) fn extend(&self, claimed: Vec<Claimed<P>>) {
        self.waiting().extend(claimed);
    }

    pub(crate) fn pop(&self) -> Option<Claimed<P>> {
        self.waiting().pop_front()
    }
}
