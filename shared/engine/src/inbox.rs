//! What was applied before: the ids of events and commands, in the same transaction as what they
//! changed.

use std::collections::{BTreeMap, HashSet};

use contracts::PRODUCTS_TOPIC;
use jiff::Timestamp;
use store::{Column, Kind, StoreError, Table, Tx, Value};
use uuid::Uuid;

use crate::{Origin, Participant, Work};

const TABLE: Table = Table {
    name: "inbox",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "at", kind: Kind::Int }],
};

/// The places of those inputs that were not applied before, as far as the inbox knows.
///
/// If all are `taken_for_new` nobody waits for what it says: one that was applied before is
/// [`StoreError::Taken`] then, and the inbox is to be asked.
pub(crate) async fn enter<P: Participant>(
    tx: &mut Tx,
    batch: &[Work<P>],
    now: Timestamp,
    taken_for_new: bool,
) -> Result<Vec<usize>, StoreError> {
    let ids = batch.iter().filter_map(|work| Some((work.inbox_id()?, came(work, now))));
    let mut ids: BTreeMap<Uuid, Value> = ids.collect();
    let mut new: HashSet<Uuid> = ids.keys().copied().collect();
    if taken_for_new {
        tx.insert_untaken(&TABLE, rows(&ids)).await?;
    } else {
        new.clear();
        for row in tx.insert_new(&TABLE, rows(&ids)).await? {
            new.insert(row.get::<Uuid>(0)?);
        }
    }
    ids.retain(|id, _| !new.contains(id));
    came_again(tx, &ids).await?;
    // An id twice in the batch is new only once.
    let fresh = batch.iter().enumerate();
    let fresh = fresh.filter(|(_, work)| work.inbox_id().is_none_or(|id| new.remove(&id)));
    Ok(fresh.map(|(index, _)| index).collect())
}

/// When it came, for [`crate::Pruner`]. What lies on a compacted topic stays there.
fn came<P: Participant>(work: &Work<P>, now: Timestamp) -> Value {
    match &work.origin {
        Origin::Event(position) if position.topic == PRODUCTS_TOPIC => Value::Null(Kind::Int),
        _ => now.into(),
    }
}

/// Notes that these came once more: at a later place of their topic, perhaps, so that they are to
/// be remembered for longer.
async fn came_again(tx: &mut Tx, ids: &BTreeMap<Uuid, Value>) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    // Not an update: whoever prunes may have taken a row away in between.
    let keys = ids.keys().map(|id| (*id).into()).collect();
    tx.discard(TABLE.name, TABLE.columns[0].name, Kind::Uuid, keys).await?;
    tx.insert(&TABLE, rows(ids)).await
}

fn rows(ids: &BTreeMap<Uuid, Value>) -> Vec<Vec<Value>> {
    ids.iter().map(|(id, at)| vec![(*id).into(), at.clone()]).collect()
}
