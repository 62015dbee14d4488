//! Tracks database outages. Once the database has not committed the current batch for
//! [`crate::Settings::outage_after`], commands are refused at once, and the service is not ready.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Since when the batch in hand has been tried, if there is one.
#[derive(Debug)]
pub(crate) struct DatabaseOutage {
    /// See [`crate::Settings::outage_after`].
    after: Duration,
    since: Mutex<Option<Instant>>,
}

/// The attempts at one batch. Dropping it ends the outage: the batch has committed, or the service stops.
pub(crate) struct Attempts<'a>(&'a DatabaseOutage);

impl DatabaseOutage {
    /// An outage begins once a batch has been tried for so long.
    pub(crate) fn after(after: Duration) -> Self {
        Self { after, since: Mutex::default() }
    }

    /// Whether there is an outage: the database refuses the batch in hand, or does not answer.
    pub(crate) fn is_at(&self, now: Instant) -> bool {
        self.since().is_some_and(|since| now.duration_since(since) >= self.after)
    }

    /// A batch is tried from now on.
    pub(crate) fn attempts(&self, now: Instant) -> Attempts<'_> {
        *self.since() = Some(now);
        Attempts(self)
    }

    /// Waits until there is an outage.
    pub(crate) async fn begins(&self) {
        loop {
            let now = Instant::now();
            if self.is_at(now) {
                return;
            }
            let since = *self.since();
            sleep_until(since.unwrap_or(now) + self.after).await;
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attempts<'_> {
    fn drop(&mut self) {
        *self.0.since() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_when_a_batch_has_been_tried_for_seconds_and_ends_with_that_batch() {
        const AFTER: Duration = Duration::from_secs(5);
        let (outage, begun) = (DatabaseOutage::after(AFTER), Instant::now());
        assert!(!outage.is_at(begun + AFTER), "there is no batch");
        let attempts = outage.attempts(begun);
        assert!(!outage.is_at(begun + AFTER / 2), "it may be committing");
        assert!(outage.is_at(begun + AFTER));
        drop(attempts);
        assert!(!outage.is_at(begun + AFTER));
    }
}
