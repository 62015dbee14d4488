//! The table of effects.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use event::{EffectId, Trace};
use jiff::Timestamp;
use store::{Column, Condition, Db, Json, Kind, Row, StoreError, Table, Tx, Value};
use uuid::Uuid;

use crate::{
    Effect, Key, Participant, Resolution, Settings,
    claim::{Claim, Later, Rows, claim, make_due, readable},
    settings::{Moment, later},
};

/// A new effect.
const TABLE: Table = Table {
    name: "effect",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "aggregate_id", kind: Kind::Uuid },
        Column { name: "payload", kind: Kind::Text },
        Column { name: "traceparent", kind: Kind::Text },
        Column { name: "tracestate", kind: Kind::Text },
        Column { name: "attempts", kind: Kind::Int },
        Column { name: "due_at", kind: Kind::Int },
        Column { name: "created_at", kind: Kind::Int },
    ],
};

/// The columns that a failed attempt changes.
const PUT_OFF: Table = Table {
    name: "effect",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "attempts", kind: Kind::Int },
        Column { name: "due_at", kind: Kind::Int },
        Column { name: "last_error", kind: Kind::Text },
        Column { name: "held_at", kind: Kind::Int },
    ],
};

/// The columns that show whether a claim is still the latest.
const CLAIM: Table = Table {
    name: "effect",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "due_at", kind: Kind::Int }],
};

/// Every row of the table.
pub(super) const ALL: Rows<'_> = Rows { table: TABLE.name, condition: "true" };
/// The rows that no operator has resolved: their requests are still attempted.
const UNRESOLVED: Rows<'_> = Rows { table: TABLE.name, condition: "resolution is null" };

/// The columns of a claimed row, in the order that [`read`] expects.
const CLAIMED: &str = "id, aggregate_id, payload, traceparent, tracestate, attempts, created_at, \
    held_at, last_error, resolution";

/// An effect that a reaction asked for.
pub(crate) struct Requested<P: Participant> {
    pub(crate) id: EffectId,
    pub(crate) effect: P::Effect,
    pub(crate) trace: Trace,
}

/// An effect that this process may attempt until its claim ends.
#[derive(Debug)]
pub(crate) struct Claimed<P: Participant> {
    pub(crate) id: EffectId,
    pub(crate) aggregate: Key<P>,
    pub(crate) effect: P::Effect,
    /// See [`Effect::isolation_key`].
    pub(super) key: Arc<str>,
    pub(super) trace: Trace,
    pub(super) attempts: i64,
    pub(super) created_at: Timestamp,
    /// Since when it is held for an operator.
    pub(super) held_at: Option<Timestamp>,
    pub(super) last_error: Option<String>,
    /// The outcome that an operator reported.
    pub(super) resolution: Option<Resolution>,
    pub(super) claim: ClaimEnd,
}

/// When a claim ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClaimEnd {
    /// By the wall clock, as in the row. A later claim has a later time.
    pub(super) due_at: Timestamp,
    /// By the steady clock of this process.
    steady: Duration,
}

impl ClaimEnd {
    fn of(now: Moment, settings: &Settings) -> Self {
        Self { due_at: later(now.wall, settings.claim), steady: now.steady + settings.claim }
    }

    /// Whether an attempt that starts now is over before the claim ends.
    pub(super) fn outlasts(&self, attempt: Duration, now: Duration) -> bool {
        now + attempt < self.steady
    }
}

/// An effect that is not attempted again before `due_at`, with the new values of its row.
#[derive(Debug, Clone)]
pub(crate) struct PutOff {
    pub(crate) id: EffectId,
    pub(super) attempts: i64,
    pub(super) due_at: Timestamp,
    pub(super) why: Option<String>,
    pub(crate) held_at: Option<Timestamp>,
    /// The claim under which this process attempted it.
    pub(super) claim: ClaimEnd,
}

/// How a batch inserts its effects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InsertMode {
    /// How many of them this process claims. The others are left to the table.
    pub(crate) room: usize,
    /// Optimistic insert: all ids are assumed to be new, and a conflict fails with [`StoreError::OptimisticInsertFailed`].
    pub(crate) assume_new: bool,
}

/// Inserts the effects of a batch, and returns those that this process claims. An effect that exists already is the
/// same request, and stays with the process that claimed it.
pub(crate) async fn insert<P: Participant>(
    tx: &mut Tx,
    requested: Vec<Requested<P>>,
    mode: InsertMode,
    now: Moment,
    settings: &Settings,
) -> Result<Vec<Claimed<P>>, StoreError> {
    let claim = ClaimEnd::of(now, settings);
    let (mut rows, mut claimed) = (Vec::new(), Vec::new());
    for (index, Requested { id, effect, trace }) in requested.into_iter().enumerate() {
        let aggregate = effect.aggregate();
        let due_at = if index < mode.room { claim.due_at } else { now.wall };
        rows.push(vec![
            id.into(),
            aggregate.into().into(),
            Value::json(&effect),
            trace.traceparent.clone().into(),
            trace.tracestate.clone().into(),
            Value::Int(0),
            due_at.into(),
            now.wall.into(),
        ]);
        if index < mode.room {
            claimed.push(Claimed {
                id,
                aggregate,
                key: effect.isolation_key().into(),
                effect,
                trace,
                attempts: 0,
                created_at: now.wall,
                held_at: None,
                last_error: None,
                resolution: None,
                claim,
            });
        }
    }
    if mode.assume_new {
        tx.insert_untaken(&TABLE, rows, Condition::default()).await?;
        return Ok(claimed);
    }
    let mut new = HashSet::new();
    for row in tx.insert_new(&TABLE, rows).await? {
        new.insert(row.get::<EffectId>(0)?);
    }
    claimed.retain(|claimed: &Claimed<P>| new.remove(&claimed.id));
    Ok(claimed)
}

/// Deletes the rows of answered effects, and returns the ids of those that existed. With `assume_pending`, a missing
/// row fails the statement with [`StoreError::RowsMissing`].
pub(crate) async fn take(
    tx: &mut Tx,
    ids: BTreeSet<Uuid>,
    assume_pending: bool,
) -> Result<HashSet<Uuid>, StoreError> {
    let keys = ids.iter().map(|id| (*id).into()).collect();
    if assume_pending {
        tx.discard_all(TABLE.name, "id", Kind::Uuid, keys).await?;
        return Ok(ids.into_iter().collect());
    }
    let rows = tx.delete(TABLE.name, "id", Kind::Uuid, keys).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Makes effects due that an earlier process claimed, if this is the sole replica: that process is gone. A resolution
/// keeps its time, because the last request of that process may still arrive at the provider.
pub(crate) async fn release_orphans(db: &Db, now: Timestamp) -> Result<(), StoreError> {
    make_due(db, UNRESOLVED, Later { now, by: Duration::ZERO }).await
}

/// After the wall clock was set back: makes effects due whose time is now further ahead than a claim lasts. A
/// resolution is applied after the length of a claim, counted from now.
pub(super) async fn release_after_set_back(
    db: &Db,
    now: Timestamp,
    claim: Duration,
) -> Result<(), StoreError> {
    make_due(db, UNRESOLVED, Later { now, by: claim }).await?;
    let (latest, sql) = (
        later(now, claim),
        "update effect set due_at = $1 where due_at > $1 and resolution is not null",
    );
    let mut tx = db.begin().await?;
    tx.execute(sql, vec![latest.into()]).await?;
    tx.commit().await
}

/// When the outside world answers again: makes effects due that were put off for longer than a claim lasts. Effects
/// that are held keep their pause.
pub(super) async fn release_put_off(
    db: &Db,
    now: Timestamp,
    claim: Duration,
) -> Result<(), StoreError> {
    let put_off = Rows { table: TABLE.name, condition: "held_at is null" };
    make_due(db, put_off, Later { now, by: claim }).await
}

/// Whether an effect was attempted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Fresh,
    Retry,
}

impl<P: Participant> Claimed<P> {
    pub(super) fn class(&self) -> Class {
        if self.attempts == 0 { Class::Fresh } else { Class::Retry }
    }
}

/// Claims at most `limit` effects of a class that are due, oldest first.
pub(super) async fn due<P: Participant>(
    db: &Db,
    class: Class,
    limit: usize,
    now: Moment,
    settings: &Settings,
) -> Result<Vec<Claimed<P>>, StoreError> {
    let condition = match class {
        Class::Fresh => "attempts = 0 and resolution is null",
        Class::Retry => "attempts > 0 and resolution is null",
    };
    take_over(db, condition, limit, now, settings).await
}

/// Claims effects whose outcome an operator reported, if it is time to apply that outcome.
pub(super) async fn resolved<P: Participant>(
    db: &Db,
    now: Moment,
    settings: &Settings,
) -> Result<Vec<Claimed<P>>, StoreError> {
    take_over(db, "resolution is not null", settings.batch, now, settings).await
}

async fn take_over<P: Participant>(
    db: &Db,
    condition: &str,
    limit: usize,
    now: Moment,
    settings: &Settings,
) -> Result<Vec<Claimed<P>>, StoreError> {
    let end = ClaimEnd::of(now, settings);
    let wanted = Claim { table: TABLE.name, columns: CLAIMED, condition, until: end.due_at, limit };
    let rows = claim(db, wanted, now.wall).await?;
    Ok(rows.iter().filter_map(|row| readable(read(row, end), "an effect")).collect())
}

/// Stores which effects are put off, except those whose row is gone or which another process has claimed since.
pub(super) async fn put_off(db: &Db, wanted: &[PutOff]) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let ids = wanted.iter().map(|put_off| put_off.id.into()).collect();
    let mut claims = HashMap::new();
    for row in tx.select_locked(&CLAIM, ids).await? {
        claims.insert(row.get::<EffectId>(0)?, row.get::<i64>(1)?);
    }
    let ours = |it: &&PutOff| claims.get(&it.id) == Some(&it.claim.due_at.as_microsecond());
    let rows =
        wanted.iter().filter(ours).map(|PutOff { id, attempts, due_at, why, held_at, .. }| {
            vec![
                (*id).into(),
                (*attempts).into(),
                (*due_at).into(),
                why.clone().into(),
                (*held_at).into(),
            ]
        });
    tx.update(&PUT_OFF, rows.collect()).await?;
    tx.commit().await
}

fn read<P: Participant>(row: &Row, claim: ClaimEnd) -> Result<Claimed<P>, StoreError> {
    let Json(effect): Json<P::Effect> = row.get(2)?;
    let resolution: Option<Json<Resolution>> = row.get(9)?;
    Ok(Claimed {
        id: row.get(0)?,
        aggregate: row.get::<Uuid>(1)?.into(),
        key: effect.isolation_key().into(),
        effect,
        trace: Trace::stored(row.get(3)?, row.get(4)?),
        attempts: row.get(5)?,
        created_at: row.get(6)?,
        held_at: row.get(7)?,
        last_error: row.get(8)?,
        resolution: resolution.map(|Json(resolution)| resolution),
        claim,
    })
}

#[cfg(feature = "crash-points")]
impl<P: Participant> Claimed<P> {
    /// An attempt at this effect, for the crash points.
    pub(super) fn attempted(&self) -> crate::faults::crash_points::Attempted<'_, P> {
        crate::faults::crash_points::Attempted { id: self.id, effect: &self.effect }
    }

    /// An operator's outcome of this effect, for the crash points.
    pub(super) fn resolved(&self) -> crate::faults::crash_points::Resolved<'_, P> {
        crate::faults::crash_points::Resolved { id: self.id, effect: &self.effect }
    }
}

/// The requests that are held from now on, for the crash points.
#[cfg(feature = "crash-points")]
pub(super) fn held(wanted: &[PutOff]) -> crate::faults::crash_points::Held {
    let held = wanted.iter().filter(|put_off| put_off.held_at.is_some());
    crate::faults::crash_points::Held(held.map(|put_off| put_off.id).collect())
}
