//! Whether the database takes no changes: who brings a command then need not wait to hear it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A database that is back within that time, after a failover say, was not away for anybody.
const PATIENCE: Duration = Duration::from_secs(5);

/// Since when the batch in hand has been failing, if it has.
#[derive(Debug, Default)]
pub(crate) struct Standstill(Mutex<Option<Instant>>);

/// The attempts of one batch. The standstill ends with it: it has committed, or nobody tries any more.
pub(crate) struct Trial<'a>(&'a Standstill);

impl Standstill {
    /// Whether a batch has been failing for long.
    pub(crate) fn is_at(&self, now: Instant) -> bool {
        self.since().is_some_and(|since| now.duration_since(since) >= PATIENCE)
    }

    /// A batch is tried from now on.
    pub(crate) fn trial(&self) -> Trial<'_> {
        Trial(self)
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trial<'_> {
    /// The database did not take it.
    pub(crate) fn failed(&self, now: Instant) {
        self.0.since().get_or_insert(now);
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        *self.0.since() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_batch_that_fails_for_seconds_is_a_standstill_which_ends_with_it() {
        let (standstill, begun) = (Standstill::default(), Instant::now());
        let trial = standstill.trial();
        assert!(!standstill.is_at(begun + PATIENCE), "it may be committing");
        trial.failed(begun);
        assert!(!standstill.is_at(begun + PATIENCE / 2));
        // Whether or not it was tried again meanwhile.
        assert!(standstill.is_at(begun + PATIENCE));
        trial.failed(begun + PATIENCE);
        assert!(standstill.is_at(begun + PATIENCE));
        drop(trial);
        assert!(!standstill.is_at(begun + PATIENCE));
    }
}
