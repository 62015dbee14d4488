//! Deletes the responses whose idempotency window is over.

use std::time::Duration;

use store::StoreError;

use crate::{Engine, Participant, batch::idempotency};

/// How often the runtime calls [`Engine::prune_idempotency_keys`].
pub(crate) const EVERY: Duration = Duration::from_hours(1);

impl<P: Participant> Engine<P> {
    /// Deletes the responses whose idempotency window is over. Returns how many were deleted.
    ///
    /// # Errors
    /// If the database refuses the statement or does not answer.
    pub async fn prune_idempotency_keys(&self) -> Result<u64, StoreError> {
        let mut tx = self.db.begin().await?;
        let deleted = idempotency::prune(&mut tx, self.clock.now(), &self.settings).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}
