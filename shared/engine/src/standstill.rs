//! Whether the database takes no changes: who brings a command then need not wait to hear it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Since when the batch in hand has been tried, if there is one.
#[derive(Debug)]
pub(crate) struct Standstill {
    /// See [`crate::Settings::standstill`].
    patience: Duration,
    since: Mutex<Option<Instant>>,
}

/// The attempts at one batch. The standstill ends with it: it has committed, or nobody tries any more.
pub(crate) struct Trial<'a>(&'a Standstill);

impl Standstill {
    /// After a batch has not been taken for so long.
    pub(crate) fn after(patience: Duration) -> Self {
        Self { patience, since: Mutex::default() }
    }

    /// Whether the database has not taken a batch for long: it refuses it, or does not answer.
    pub(crate) fn is_at(&self, now: Instant) -> bool {
        self.since().is_some_and(|since| now.duration_since(since) >= self.patience)
    }

    /// A batch is tried from now on.
    pub(crate) fn trial(&self, now: Instant) -> Trial<'_> {
        *self.since() = Some(now);
        Trial(self)
    }

    /// Waits until there is one.
    pub(crate) async fn comes(&self) {
        loop {
            let now = Instant::now();
            if self.is_at(now) {
                return;
            }
            let since = *self.since();
            sleep_until(since.unwrap_or(now) + self.patience).await;
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn only_a_batch_that_is_not_taken_for_seconds_is_a_standstill_which_ends_with_it() {
        const PATIENCE: Duration = Duration::from_secs(5);
        let (standstill, begun) = (Standstill::after(PATIENCE), Instant::now());
        assert!(!standstill.is_at(begun + PATIENCE), "there is no batch");
        let trial = standstill.trial(begun);
        assert!(!standstill.is_at(begun + PATIENCE / 2), "it may be committing");
        assert!(standstill.is_at(begun + PATIENCE));
        drop(trial);
        assert!(!standstill.is_at(begun + PATIENCE));
    }
}
