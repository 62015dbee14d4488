//! Whether a service can work.

use store::{Db, StoreError};
use tokio::time::{Instant, timeout};

use crate::{Engine, Participant};

impl<P: Participant> Engine<P> {
    /// Whether the database answers, takes changes, and has committed the last batch. The query goes over `db`, so that
    /// a probe can have a connection of its own.
    ///
    /// # Errors
    /// What is wrong with the database; [`StoreError::TimedOut`] if it does not answer in time, or during a database
    /// outage.
    pub async fn ready(&self, db: &Db) -> Result<(), StoreError> {
        let answered = timeout(self.settings.outage_after, db.require_writable()).await;
        answered.unwrap_or(Err(StoreError::TimedOut))?;
        if self.outage.is_at(Instant::now()) {
            return Err(StoreError::TimedOut);
        }
        Ok(())
    }
}
