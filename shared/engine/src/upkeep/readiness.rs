//! Whether a service can work.

use store::{Db, StoreError};
use tokio::time::{Instant, timeout};

use crate::{Engine, Participant};

impl<P: Participant> Engine<P> {
    /// Whether the database answers, takes changes, and has taken the last batch. It is asked over `db`, so that a
    /// probe can have a connection of its own.
    ///
    /// # Errors
    /// What is the matter with it; [`StoreError::TimedOut`] where it has not said within seconds.
    pub async fn ready(&self, db: &Db) -> Result<(), StoreError> {
        let answered = timeout(self.settings.outage_after, db.require_writable()).await;
        answered.unwrap_or(Err(StoreError::TimedOut))?;
        if self.outage.is_at(Instant::now()) {
            return Err(StoreError::TimedOut);
        }
        Ok(())
    }
}
