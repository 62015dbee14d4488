//! Whether a service can work.

use store::StoreError;
use tokio::time::{Instant, timeout};

use crate::{Engine, Participant};

impl<P: Participant> Engine<P> {
    /// Whether the database answers, takes changes, and has taken the last batch.
    ///
    /// # Errors
    /// What is the matter with it; [`StoreError::TimedOut`] where it has not said within seconds.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let answered = timeout(self.settings.standstill, self.db.require_writable()).await;
        answered.unwrap_or(Err(StoreError::TimedOut))?;
        if self.standstill.is_at(Instant::now()) {
            return Err(StoreError::TimedOut);
        }
        Ok(())
    }
}
