//! Prunes the inbox of ids that no record can bring again. Off, unless the settings turn it on.
//!
//! An id is needed for as long as a record of its event lies in a topic that the service reads: a redelivery, a rewound
//! group or a new offset can bring the record again. Timestamps do not tell when that ends. Those of records come from
//! their senders, and in no order. The one in an event's id is the time at which its *aggregate* began, which may be
//! long before the event. So the rule is one of offsets:
//!
//! - Every row has the time at which its event last arrived, by the clock of the replica that applied it.
//! - From time to time a *mark* notes the present time first, and then where each partition ends. The events that
//!   arrived before that time were in records below those ends.
//! - Once every partition's low watermark has reached the ends of a mark, those records are gone, and rows from before
//!   the mark can be deleted. A margin makes up for replicas whose clocks differ.
//!
//! A relay that sends an event again gives it a new offset. If that copy arrives while the row exists, it renews the
//! row, which then stays until the copy is deleted too. The copy arrives after the row was deleted only if the
//! publisher hung between sending the event and noting that, for longer than the topic keeps its records. No other
//! process knows of such a copy, so no rule that ever deletes a row could cover it. The service is then as safe as
//! without any inbox: a reaction does nothing in a state that it does not list, ended rows stay, and what follows has
//! the same ids as before. So pruning the inbox can cost the shortcut, never the result.
//!
//! Compacted topics keep the latest record of a key for ever, so ids from such topics stay. A command is repeated only
//! by its own process, until its batch has committed: the margin is far longer.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, PartitionState};
use clock::Clock;
use event::TopicSpec;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Db, DbKind, Json, Row, StoreError, Value};
use uuid::Uuid;

use crate::{
    Engine, Participant,
    participant::{group, subscription},
    settings::later,
};

/// How often the inbox is marked and pruned.
pub(crate) const EVERY: Duration = Duration::from_hours(1);
/// The pause after the broker or the database failed.
pub(crate) const RETRY: Duration = Duration::from_mins(1);
/// Rows stay that are older than a mark by less than this.
const MARGIN: Duration = Duration::from_hours(24);
/// The most marks that are stored: topics may keep their records for years.
const MARKS: usize = 1_000;
/// The most rows that one transaction deletes.
const STEP: i64 = 5_000;

/// Where a partition ended. The table has it as a JSON list of three.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "(String, i32, i64)", into = "(String, i32, i64)")]
struct End {
    topic: String,
    partition: i32,
    offset: i64,
}

impl From<(String, i32, i64)> for End {
    fn from((topic, partition, offset): (String, i32, i64)) -> Self {
        Self { topic, partition, offset }
    }
}

impl From<End> for (String, i32, i64) {
    fn from(end: End) -> Self {
        (end.topic, end.partition, end.offset)
    }
}

/// A time, and where all partitions ended just after it.
type Mark = (Timestamp, Vec<End>);

/// Prunes a service's inbox.
pub struct Pruner {
    db: Db,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    group: String,
    topics: Vec<&'static str>,
}

/// Why an inbox could not be pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker does not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl<P: Participant> Engine<P> {
    /// The pruner of this engine's inbox.
    pub fn pruner(&self, bus: Arc<dyn Bus>) -> Pruner {
        let mut topics = subscription::<P>();
        topics.retain(|topic| !TopicSpec::is_compacted::<P::Contract>(topic));
        let (db, clock) = (self.db.clone(), Arc::clone(&self.clock));
        Pruner { db, bus, clock, group: group::<P>(), topics }
    }
}

impl Pruner {
    /// Marks where the topics end now, and deletes the ids that they cannot bring again. Returns how many rows were
    /// deleted.
    ///
    /// # Errors
    /// If the broker or the database does not answer. Rows that were deleted before stay deleted.
    pub async fn step(&self) -> Result<u64, PruneError> {
        // The time is read before the broker is asked: the events that arrived until now are below the ends that it
        // will report.
        let now = self.clock.now();
        let states = self.bus.partitions(&self.group, &self.topics).await?;
        let marks = self.marks().await?;
        let newest = marks.first().map(|(at, _)| *at);
        if marks.len() < MARKS && newest.is_none_or(|at| later(at, EVERY) <= now) {
            self.mark(now, &states).await?;
        }
        let passed = marks.iter().find(|(_, ends)| ends.iter().all(|end| is_gone(end, &states)));
        let Some((passed, _)) = passed else { return Ok(0) };
        self.forget_marks_before(*passed).await?;
        let before = passed.saturating_sub(MARGIN).unwrap_or(Timestamp::MIN);
        Ok(self.forget_before(before).await?)
    }

    /// All marks, the latest first.
    async fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        let sql = "select at, ends from inbox_mark order by at desc";
        self.db.fetch(sql, Vec::new()).await?.iter().map(read).collect()
    }

    async fn mark(&self, now: Timestamp, states: &[PartitionState]) -> Result<(), StoreError> {
        let end = |state: &PartitionState| End {
            topic: state.topic.clone(),
            partition: state.partition,
            offset: state.high,
        };
        let ends: Vec<End> = states.iter().map(end).collect();
        let sql = "insert into inbox_mark (at, ends) values ($1, $2) on conflict do nothing";
        let mut tx = self.db.begin().await?;
        tx.execute(sql, vec![now.into(), Value::json(&ends)]).await?;
        tx.commit().await
    }

    async fn forget_marks_before(&self, passed: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        tx.execute("delete from inbox_mark where at < $1", vec![passed.into()]).await?;
        tx.commit().await
    }

    /// Deletes in small transactions, from the oldest aggregate on. An id begins with the time of its aggregate, so
    /// that ids beyond `before` need not be read. An event that has arrived again since keeps its row.
    async fn forget_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        let skip = match self.db.kind() {
            DbKind::Postgres => "for update skip locked",
            DbKind::Sqlite => "",
        };
        let sql = format!(
            "delete from inbox where id in (select id from inbox \
             where id > $1 and id < $2 and at < $3 order by id limit $4 {skip}) returning id"
        );
        let (mut after, last, mut gone) = (Uuid::nil(), first_id_of(before), 0);
        loop {
            let mut tx = self.db.begin().await?;
            let values = vec![after.into(), last.into(), before.into(), Value::Int(STEP)];
            let rows = tx.fetch(&sql, values).await?;
            tx.commit().await?;
            gone += rows.len() as u64;
            for row in &rows {
                after = after.max(row.get(0)?);
            }
            if i64::try_from(rows.len()).unwrap_or(STEP) < STEP {
                return Ok(gone);
            }
        }
    }
}

fn read(row: &Row) -> Result<Mark, StoreError> {
    let Json(ends) = row.get(1)?;
    Ok((row.get(0)?, ends))
}

/// Whether all records below this end are gone. A partition that the service no longer reads brings none.
fn is_gone(end: &End, states: &[PartitionState]) -> bool {
    let mut states = states.iter();
    let state = states.find(|state| state.topic == end.topic && state.partition == end.partition);
    state.is_none_or(|state| state.low >= end.offset)
}

/// The lowest id of an aggregate that begins at this time.
fn first_id_of(time: Timestamp) -> Uuid {
    let millis = u128::try_from(time.as_millisecond()).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}
