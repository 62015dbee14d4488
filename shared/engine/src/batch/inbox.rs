//! The inbox: the ids of the events and commands that were applied, entered in the same transaction as what they
//! changed.

use std::collections::{BTreeMap, HashSet};

use event::TopicSpec;
use jiff::Timestamp;
use store::{Column, Condition, Kind, StoreError, Table, Tx, Value};
use uuid::Uuid;

use super::context::Optimism;
use crate::{Participant, Work, dead_letters::Entered};

const TABLE: Table = Table {
    name: "inbox",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "at", kind: Kind::Int }],
};

/// A column of the inserting statement's answer: whether any aggregate is parked.
const ANY_PARKED: &str = ", exists (select 1 from dead_letter_queue)";
const NONE_PARKED: &str = "not exists (select 1 from dead_letter_queue)";

/// How a batch is entered.
pub(super) struct Entering {
    pub(super) now: Timestamp,
    pub(super) optimism: Optimism,
    /// What the database must confirm, or the transaction fails.
    pub(super) premise: Condition,
}

/// Enters the ids of a batch.
///
/// With [`Optimism::Nothing`] this waits for the result. If the premise does not hold, it fails with
/// [`StoreError::PreconditionFailed`].
///
/// Otherwise it does not wait, and reports all ids as new. If one is not new, if the premise does not hold, or if an
/// aggregate is parked, the commit fails with [`StoreError::OptimisticInsertFailed`].
///
/// A batch without ids requires the premise only, and fails with `PreconditionFailed` if it does not hold. It has no event, as each event has an id. So it
/// need not know whether an aggregate is parked.
pub(super) async fn enter<P: Participant>(
    tx: &mut Tx,
    batch: &[Work<P>],
    entering: Entering,
) -> Result<Entered, StoreError> {
    let Entering { now, optimism, premise } = entering;
    let ids = batch.iter().filter_map(|work| Some((work.inbox_id()?, arrival(work, now))));
    let mut ids: BTreeMap<Uuid, Value> = ids.collect();
    let (mut new, mut any_parked): (HashSet<Uuid>, _) = (ids.keys().copied().collect(), None);
    match optimism {
        _ if ids.is_empty() => tx.require(premise).await?,
        Optimism::NewAndUnparked => tx.insert_untaken(&TABLE, rows(&ids), premise).await?,
        Optimism::New => {
            let premise = premise.and(Condition::new(NONE_PARKED, Vec::new()));
            tx.insert_untaken(&TABLE, rows(&ids), premise).await?;
        }
        Optimism::Nothing => {
            tx.require(premise).await?;
            new.clear();
            for row in tx.insert_new_and(&TABLE, rows(&ids), ANY_PARKED).await? {
                new.insert(row.get::<Uuid>(0)?);
                any_parked = Some(row.get(1)?);
            }
        }
    }
    ids.retain(|id, _| !new.contains(id));
    renew(tx, &ids).await?;
    // An id that is twice in the batch is new only once.
    let fresh = batch.iter().enumerate();
    let fresh = fresh.filter(|(_, work)| work.inbox_id().is_none_or(|id| new.remove(&id)));
    Ok(Entered { fresh: fresh.map(|(index, _)| index).collect(), any_parked })
}

/// When an input arrived, for [`crate::Pruner`]. Records of a compacted topic stay there, so their rows stay too.
fn arrival<P: Participant>(work: &Work<P>, now: Timestamp) -> Value {
    match work.origin.record() {
        Some(record) if TopicSpec::is_compacted::<P::Contract>(&record.topic) => {
            Value::Null(Kind::Int)
        }
        _ => now.into(),
    }
}

/// Renews the rows of inputs that arrived once more. The new record may lie at a later offset of the topic, so the
/// inbox must remember its id for longer.
async fn renew(tx: &mut Tx, ids: &BTreeMap<Uuid, Value>) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    // A delete and an insert, because the pruner may have deleted a row in between, which an update would miss.
    let keys = ids.keys().map(|id| (*id).into()).collect();
    tx.discard(TABLE.name, TABLE.columns[0].name, Kind::Uuid, keys).await?;
    tx.insert(&TABLE, rows(ids)).await
}

fn rows(ids: &BTreeMap<Uuid, Value>) -> Vec<Vec<Value>> {
    ids.iter().map(|(id, at)| vec![(*id).into(), at.clone()]).collect()
}
