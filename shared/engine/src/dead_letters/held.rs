//! Outcomes and alarms that cannot be applied: they stay where they are, and are tried again.

use jiff::Timestamp;
use store::{StoreError, Tx};

use super::Parking;
use crate::{Origin, Participant, Settings, Work, settings::later};

/// Puts off those of the batch that cannot be applied, and notes why.
pub(crate) async fn put_off<P: Participant>(
    tx: &mut Tx,
    batch: &[Work<P>],
    parking: &Parking,
    now: Timestamp,
    settings: &Settings,
) -> Result<(), StoreError> {
    let due_at = later(now, settings.refused_pause);
    for (work, reason) in parking.refused().filter_map(|(place, it)| Some((batch.get(place)?, it)))
    {
        let table = match work.origin {
            Origin::Outcome => "effect",
            Origin::Alarm => "alarm",
            _ => continue,
        };
        // One that is gone was applied by another replica, perhaps a newer one.
        let sql = format!("update {table} set due_at = $1, refused = $2 where id = $3");
        let values = vec![due_at.into(), reason.to_string().into(), work.input.cause.into()];
        tx.execute(&sql, values).await?;
    }
    Ok(())
}
