//! What was applied before: the ids of events and commands, in the same transaction as what they
//! changed.

use std::collections::{BTreeMap, HashSet};

use event::TopicSpec;
use jiff::Timestamp;
use store::{Column, Condition, Kind, StoreError, Table, Tx, Value};
use uuid::Uuid;

use crate::{Participant, Work};

const TABLE: Table = Table {
    name: "inbox",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "at", kind: Kind::Int }],
};

/// Whether any aggregate is parked, as the statement that enters the ids sees it.
const PARKED: &str = ", exists (select 1 from parked)";
/// None is.
const NONE_PARKED: &str = "not exists (select 1 from parked)";

/// How a batch is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// All are taken for new, and no aggregate for parked, as this process alone can park one.
    All,
    /// All are taken for new; whether an aggregate is parked the database knows.
    New,
    /// The inbox says of each whether it is new.
    Nothing,
}

/// What the inbox says of a batch.
pub(crate) struct Entered {
    /// The places of those inputs that were not applied before, as far as the inbox knows.
    pub(crate) fresh: Vec<usize>,
    /// Whether any aggregate is parked, as far as that was asked.
    pub(crate) parked: Option<bool>,
}

/// Enters the ids of a batch, in a transaction that relies on this.
///
/// In [`Trust`] nobody waits for what the inbox says: where that is misplaced it is
/// [`StoreError::Taken`], and the inbox is to be asked.
pub(crate) async fn enter<P: Participant>(
    tx: &mut Tx,
    batch: &[Work<P>],
    now: Timestamp,
    (trust, relied_on): (Trust, Condition),
) -> Result<Entered, StoreError> {
    let ids = batch.iter().filter_map(|work| Some((work.inbox_id()?, came(work, now))));
    let mut ids: BTreeMap<Uuid, Value> = ids.collect();
    let (mut new, mut parked): (HashSet<Uuid>, _) = (ids.keys().copied().collect(), None);
    match trust {
        _ if ids.is_empty() => tx.require(relied_on).await?,
        Trust::All => tx.insert_untaken(&TABLE, rows(&ids), relied_on).await?,
        Trust::New => {
            let relied_on = relied_on.and(Condition::new(NONE_PARKED, Vec::new()));
            tx.insert_untaken(&TABLE, rows(&ids), relied_on).await?;
        }
        Trust::Nothing => {
            tx.require(relied_on).await?;
            new.clear();
            for row in tx.insert_new_and(&TABLE, rows(&ids), PARKED).await? {
                new.insert(row.get::<Uuid>(0)?);
                parked = Some(row.get(1)?);
            }
        }
    }
    ids.retain(|id, _| !new.contains(id));
    came_again(tx, &ids).await?;
    // An id twice in the batch is new only once.
    let fresh = batch.iter().enumerate();
    let fresh = fresh.filter(|(_, work)| work.inbox_id().is_none_or(|id| new.remove(&id)));
    Ok(Entered { fresh: fresh.map(|(index, _)| index).collect(), parked })
}

/// When it came, for [`crate::Pruner`]. What lies on a compacted topic stays there.
fn came<P: Participant>(work: &Work<P>, now: Timestamp) -> Value {
    match work.origin.record() {
        Some(record) if TopicSpec::is_compacted::<P::Contract>(&record.topic) => {
            Value::Null(Kind::Int)
        }
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
