//! Puts off outcomes and alarms that cannot be applied.
//!
//! An outcome or an alarm is not a dead letter, because it already has a row: that of its effect, or of the alarm. The
//! row stays, says in `refused` why it was not applied, and becomes due again after `refused_pause`. Then the
//! effect is asked again under the same key, or the alarm rings again. An operator's replay of the aggregate makes the
//! row due at once.

use jiff::Timestamp;
use store::{StoreError, Tx};

use super::Poison;
use crate::{Origin, Participant, Settings, Work, settings::later};

/// Writes into the row of each outcome and alarm that is poison why it is put off, and until when. The other
/// inputs of the batch are left to [`sort`](super::sort()).
pub(crate) async fn postpone<P: Participant>(
    tx: &mut Tx,
    batch: &[Work<P>],
    poison: &Poison,
    now: Timestamp,
    settings: &Settings,
) -> Result<(), StoreError> {
    let due_at = later(now, settings.refused_pause);
    for (index, reason) in &poison.inputs {
        let Some(work) = batch.get(*index) else { continue };
        let table = match work.origin {
            Origin::Outcome => "effect",
            Origin::Alarm => "alarm",
            Origin::Event(_) | Origin::Replay(_) | Origin::Command(_) => continue,
        };
        // A row that is gone was applied by another replica, perhaps of a newer version: that is no error.
        let sql = format!("update {table} set due_at = $1, refused = $2 where id = $3");
        let values = vec![due_at.into(), reason.to_string().into(), work.input.cause.into()];
        tx.execute(&sql, values).await?;
    }
    Ok(())
}
