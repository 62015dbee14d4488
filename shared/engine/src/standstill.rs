//! Whether the database takes no changes: who brings a command then need not wait to hear it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// A database that is back within that time, after a failover say, was not away for anybody.
const PATIENCE: Duration = Duration::from_secs(5);

/// Set while a batch has been failing for long.
#[derive(Debug, Default)]
pub(crate) struct Standstill(AtomicBool);

/// The attempts of one batch. The standstill ends with it: it has committed, or nobody tries any more.
pub(crate) struct Trial<'a> {
    standstill: &'a Standstill,
    begun: Instant,
}

impl Standstill {
    pub(crate) fn is_now(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A batch is tried from now on.
    pub(crate) fn trial(&self, begun: Instant) -> Trial<'_> {
        Trial { standstill: self, begun }
    }
}

impl Trial<'_> {
    /// The database did not take it.
    pub(crate) fn failed(&self, now: Instant) {
        if now.duration_since(self.begun) >= PATIENCE {
            self.standstill.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.standstill.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_batch_that_fails_for_seconds_is_a_standstill_which_ends_with_it() {
        let (standstill, begun) = (Standstill::default(), Instant::now());
        let trial = standstill.trial(begun);
        trial.failed(begun + PATIENCE / 2);
        assert!(!standstill.is_now());
        trial.failed(begun + PATIENCE);
        assert!(standstill.is_now());
        drop(trial);
        assert!(!standstill.is_now());
    }
}
