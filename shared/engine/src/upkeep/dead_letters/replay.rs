//! Records an operator's request for a replay.

use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Engine, Participant};

/// What a requested replay will try.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Replaying {
    /// Dead letters that are to be replayed.
    pub dead_letters: i64,
    /// Outcomes and deadlines that are tried again at once.
    pub postponed: u64,
}

impl<P: Participant> Engine<P> {
    /// Requests the replay of a dead-letter queue, and makes the postponed outcomes and alarms of the same
    /// aggregate due now. Returns `None` if there is neither.
    ///
    /// The replay is only marked here, in the table. This replica is woken to carry it out; if it dies,
    /// another one finds the mark.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn replay(&self, queue: Uuid) -> Result<Option<Replaying>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let values = || vec![now.into(), queue.into()];
        let mark = "update dead_letter_queue set due_at = $1 where id = $2";
        let queues = tx.execute(mark, values()).await?;
        let mut postponed = 0;
        for table in ["effect", "alarm"] {
            let sql = format!(
                "update {table} set due_at = $1 where aggregate_id = $2 and refused is not null"
            );
            postponed += tx.execute(&sql, values()).await?;
        }
        let count = "select count(*) from dead_letter where queue_id = $1";
        let rows = tx.fetch(count, vec![queue.into()]).await?;
        let dead_letters = rows.first().map_or(Ok(0), |row| row.get(0))?;
        tx.commit().await?;
        self.replay_wake.notify_one();
        Ok((queues > 0 || postponed > 0).then_some(Replaying { dead_letters, postponed }))
    }
}
