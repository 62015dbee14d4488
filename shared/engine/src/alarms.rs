//! Durable deadlines.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use clock::Clock;
use event::Trace;
use jiff::Timestamp;
use store::{Column, Condition, Db, Kind, Row, StoreError, Table, Tx};
use uuid::Uuid;

use crate::{
    Input, Key, Origin, Participant, Settings, What, Work,
    claim::{Claim, Mender, Rows, claim, readable},
    settings::{Moment, later},
};

const TABLE: Table = Table {
    name: "alarm",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "aggregate_id", kind: Kind::Uuid },
        Column { name: "name", kind: Kind::Text },
        Column { name: "traceparent", kind: Kind::Text },
        Column { name: "tracestate", kind: Kind::Text },
        Column { name: "rings_at", kind: Kind::Int },
        Column { name: "due_at", kind: Kind::Int },
    ],
};

/// The columns that show whether a claimed alarm still has to ring.
const RINGING: Table = Table {
    name: "alarm",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "rings_at", kind: Kind::Int },
    ],
};

/// Alarms whose deadline has passed, so that they were claimed or postponed. All others wait for their deadline,
/// however far ahead it is. The deadline, `rings_at`, is never changed.
const CLAIMED: Rows<'_> = Rows { table: TABLE.name, condition: "rings_at <= $1" };

/// An alarm to set.
pub(crate) struct Set<P: Participant> {
    pub(crate) aggregate: Key<P>,
    pub(crate) alarm: P::Alarm,
    pub(crate) due_at: Timestamp,
    pub(crate) trace: Trace,
}

/// The changes of a batch to the alarms, by alarm id: `Some` sets an alarm, `None` clears it. The last change of an
/// alarm counts.
pub(crate) type Changes<P> = BTreeMap<Uuid, Option<Set<P>>>;

/// Sets and clears alarms. With `assume_new`, an alarm that is set already fails the statement with
/// [`StoreError::OptimisticInsertFailed`]: this optimistic insert costs the database less than an upsert.
pub(crate) async fn change<P: Participant>(
    tx: &mut Tx,
    changes: Changes<P>,
    assume_new: bool,
) -> Result<(), StoreError> {
    let cleared = changes.iter().filter(|(_, change)| change.is_none());
    let ids = cleared.map(|(id, _)| (*id).into()).collect();
    tx.discard(TABLE.name, "id", Kind::Uuid, ids).await?;
    let set = changes.into_iter().filter_map(|(id, change)| Some((id, change?)));
    let rows = set.map(|(id, Set { aggregate, alarm, due_at, trace })| {
        let name: &'static str = alarm.into();
        vec![
            id.into(),
            aggregate.into().into(),
            name.into(),
            trace.traceparent.into(),
            trace.tracestate.into(),
            due_at.into(),
            due_at.into(),
        ]
    });
    let rows = rows.collect();
    if assume_new {
        return tx.insert_untaken(&TABLE, rows, Condition::default()).await;
    }
    tx.upsert(&TABLE, rows).await
}

/// Deletes those of the alarms that still have to ring, and returns their ids. An alarm that was cleared since it was
/// claimed is gone; an alarm that was set again rings at its new time.
pub(crate) async fn take(
    tx: &mut Tx,
    ids: BTreeSet<Uuid>,
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    let ids = ids.into_iter().map(Into::into).collect();
    let mut ringing = Vec::new();
    for row in tx.select_locked(&RINGING, ids).await? {
        if row.get::<Timestamp>(1)? <= now {
            ringing.push(row.get::<Uuid>(0)?);
        }
    }
    let ids = ringing.iter().map(|id| (*id).into()).collect();
    tx.discard(TABLE.name, "id", Kind::Uuid, ids).await?;
    Ok(ringing)
}

/// Claims the alarms that are due.
pub struct Alarms {
    db: Db,
    clock: Arc<dyn Clock>,
    settings: Settings,
    mender: Mender,
}

impl Alarms {
    /// The most alarms that one step claims.
    pub(crate) const LIMIT: usize = 500;

    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        Self { db, clock, settings, mender: Mender::default() }
    }

    /// Claims the alarms that are due, so that no other replica takes them until the claim ends. Each becomes an input,
    /// and its row is deleted when that input is applied.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn step<P: Participant>(&self) -> Result<Vec<Work<P>>, StoreError> {
        let now = Moment::of(&*self.clock);
        self.mender.mend(&self.db, CLAIMED, now, self.settings.longest_pause()).await?;
        let now = now.wall;
        let wanted = Claim {
            table: TABLE.name,
            columns: "id, aggregate_id, name, traceparent, tracestate",
            condition: "true",
            until: later(now, self.settings.claim),
            limit: Self::LIMIT,
        };
        let rows = claim(&self.db, wanted, now).await?;
        let ringing = rows.iter().filter_map(|row| readable(ring(row, now), "an alarm"));
        let ringing: Vec<Work<P>> = ringing.collect();
        crate::crash_point!(AlarmTaken, &*ringing);
        Ok(ringing)
    }
}

fn ring<P: Participant>(row: &Row, now: Timestamp) -> Result<Work<P>, StoreError> {
    let name: String = row.get(2)?;
    let alarm = name.parse().map_err(|_| StoreError::Column {
        column: 2,
        value: name,
        expected: "the name of an alarm of this service",
    })?;
    let trace = Trace::stored(row.get(3)?, row.get(4)?);
    let what = What::Alarm(row.get::<Uuid>(1)?.into(), alarm);
    let input = Input { cause: row.get(0)?, at: now, trace, what };
    Ok(Work { input, origin: Origin::Alarm })
}
