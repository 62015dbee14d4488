//! What an operator asks about dead letters, and does with them.

use std::collections::{BTreeMap, BTreeSet};

use event::Contract;
use jiff::Timestamp;
use serde::Serialize;
use store::{Column, Db, Json, Kind, Row, StoreError, Table, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Cause, Raw, lanes::Lanes, letter};
use crate::{AggregateField, Engine, Participant};

/// All that is parked, or a page of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadLetters {
    /// What holds the lanes up, the most frequent first: all lanes, grouped by cause.
    pub groups: Vec<Group>,
    /// The lanes, in the order of their ids.
    pub lanes: Vec<ParkedLane>,
    /// Outcomes and deadlines that cannot be applied. They are tried again by themselves.
    pub held: Vec<Held>,
    /// Give it as `after` to go on; null at the end.
    pub next: Option<Uuid>,
}

/// Lanes whose first letters have the same thing wrong with them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Group {
    /// Of what kind it is.
    pub cause: Cause,
    /// What is wrong, without what tells one from the other.
    pub summary: String,
    /// The type of the first letters; null where it is not legible.
    pub event_type: Option<String>,
    /// How many lanes wait for it.
    pub lanes: i64,
    /// How many letters are in them.
    pub letters: i64,
    /// When the first of them was parked.
    pub first_at: Timestamp,
    /// When one was last tried.
    pub last_at: Timestamp,
}

/// An aggregate that is parked; or a record that names none.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ParkedLane {
    /// What the lane is called: the aggregate's id, or the record's own.
    pub id: Uuid,
    /// The aggregate; null where the record names none.
    #[serde(flatten)]
    #[schema(ignore)]
    pub aggregate: AggregateField,
    /// Why its first letter is parked.
    pub cause: Cause,
    /// What is wrong with that, without what tells one from the other.
    pub summary: String,
    /// How many letters wait.
    pub letters: i64,
    /// How often the first one was tried.
    pub attempts: i64,
    /// Since when it is parked.
    pub since: Timestamp,
    /// When its first letter was last tried.
    pub last_at: Timestamp,
    /// Whether an operator has asked for a replay that is not over.
    pub replaying: bool,
}

/// An outcome or a deadline that cannot be applied.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Held {
    /// `outcome` or `alarm`.
    pub kind: &'static str,
    /// The id of the effect or the alarm.
    pub id: Uuid,
    /// The aggregate.
    #[serde(flatten)]
    #[schema(ignore)]
    pub aggregate: AggregateField,
    /// What is wrong.
    pub why: String,
    /// When it is tried next.
    pub due_at: Timestamp,
}

/// A lane with all that is in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Lane {
    /// What the lane is called: the aggregate's id, or the record's own.
    pub id: Uuid,
    /// Since when it is parked.
    pub since: Timestamp,
    /// Whether an operator has asked for a replay that is not over.
    pub replaying: bool,
    /// Its letters, the one whose turn it is first.
    pub letters: Vec<DeadLetter>,
}

/// A record that was not applied.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadLetter {
    /// The event's id; of a record that cannot be understood, one that its place gives it.
    pub id: Uuid,
    /// The aggregate; null where the record names none.
    #[serde(flatten)]
    #[schema(ignore)]
    pub aggregate: AggregateField,
    /// Why it is parked.
    pub cause: Cause,
    /// What went wrong the last time, then what led to it.
    pub errors: Vec<String>,
    /// How often it was tried; 0 of what only waits behind another.
    pub attempts: i64,
    /// When it was parked.
    pub first_at: Timestamp,
    /// When it was last tried.
    pub last_at: Timestamp,
    /// Its type; null where it is not legible.
    pub event_type: Option<String>,
    /// Where it lay.
    pub topic: String,
    /// In which partition.
    pub partition: i64,
    /// At which offset.
    pub offset: i64,
    /// Its key.
    pub key: Raw,
    /// Names and values, in order.
    #[schema(value_type = Vec<Vec<Raw>>)]
    pub headers: Vec<(String, Raw)>,
    /// The body.
    pub value: Raw,
}

/// What an operator's wish for a replay found.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Replaying {
    /// Letters that are to be replayed.
    pub letters: i64,
    /// Outcomes and deadlines that are tried again at once.
    pub held: u64,
}

/// What was discarded.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Discarded {
    /// Letters that are gone.
    pub discarded: usize,
    /// Letters of the lane that still wait: to be replayed, or discarded too.
    pub left: usize,
}

const FIRST_LETTER: &str = "from parked p join dead_letter h on h.lane = p.id \
    and h.seq = (select min(seq) from dead_letter where lane = p.id)";
const LETTERS: &str = "(select count(*) from dead_letter where lane = p.id)";

/// The outcomes and alarms of one answer, at most.
const MOST_HELD: i64 = 500;

const INBOX: Table = Table {
    name: "inbox",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "at", kind: Kind::Int }],
};

impl<P: Participant> Engine<P> {
    /// What is parked: lanes after `after`, at most `limit`, and the groups of all.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn dead_letters(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<DeadLetters, StoreError> {
        let lanes = lanes::<P::Contract>(&self.db, after, limit).await?;
        let full = i64::try_from(lanes.len()).is_ok_and(|count| count >= limit);
        let next = lanes.last().filter(|_| full).map(|lane| lane.id);
        Ok(DeadLetters {
            groups: groups(&self.db).await?,
            lanes,
            held: held::<P::Contract>(&self.db).await?,
            next,
        })
    }

    /// A lane with all that is in it, if it is parked.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn dead_letter(&self, lane: Uuid) -> Result<Option<Lane>, StoreError> {
        let sql = "select since, due_at from parked where id = $1";
        let rows = self.db.fetch(sql, vec![lane.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let sql = format!(
            "select {}, id, aggregate_id, cause, errors, first_at, last_at, event_type \
             from dead_letter where lane = $1 order by seq",
            letter::RECORD
        );
        let letters = self.db.fetch(&sql, vec![lane.into()]).await?;
        let letters = letters.iter().map(dead_letter::<P::Contract>).collect::<Result<_, _>>()?;
        let replaying = row.get::<Option<i64>>(1)?.is_some();
        Ok(Some(Lane { id: lane, since: row.get(0)?, replaying, letters }))
    }

    /// Has a lane replayed, in order, and what of its aggregate is held tried again; `None` if there
    /// is neither.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn replay(&self, lane: Uuid) -> Result<Option<Replaying>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let values = || vec![now.into(), lane.into()];
        let parked = tx.execute("update parked set due_at = $1 where id = $2", values()).await?;
        let mut held = 0;
        for table in ["effect", "alarm"] {
            let sql = format!(
                "update {table} set due_at = $1 where aggregate_id = $2 and refused is not null"
            );
            held += tx.execute(&sql, values()).await?;
        }
        let count = "select count(*) from dead_letter where lane = $1";
        let letters = tx.fetch(count, vec![lane.into()]).await?;
        let letters = letters.first().map_or(Ok(0), |row| row.get(0))?;
        tx.commit().await?;
        self.replay_wake.notify_one();
        Ok((parked > 0 || held > 0).then_some(Replaying { letters, held }))
    }

    /// Throws away a lane's first letter, or `all` of them; `None` if it is not parked. An event that
    /// is thrown away counts as applied, should it come again.
    ///
    /// # Errors
    /// If the database does not answer, or another operator was faster: nothing is done then.
    pub async fn discard(&self, lane: Uuid, all: bool) -> Result<Option<Discarded>, StoreError> {
        let now = self.clock.now();
        let Some(Lane { mut letters, .. }) = self.dead_letter(lane).await? else { return Ok(None) };
        letters.truncate(if all { letters.len() } else { 1 });
        let ids: BTreeSet<Uuid> = letters.iter().map(|letter| letter.id).collect();
        let mut tx = self.db.begin().await?;
        // What could never be understood has no id that could come again.
        let events = letters.iter().filter(|it| !it.cause.is_unreadable());
        let known = events.map(|it| (it.id, vec![it.id.into(), now.into()]));
        let known: BTreeMap<Uuid, Vec<Value>> = known.collect();
        tx.insert_new(&INBOX, known.into_values().collect()).await?;
        let of_lane = BTreeSet::from([lane]);
        let mut lanes = Lanes::lock(&mut tx, of_lane.clone(), &of_lane).await?;
        let mut discarded = 0;
        while lanes.first(lane).is_some_and(|first| ids.contains(&first)) {
            lanes.take(lane);
            discarded += 1;
        }
        if discarded < ids.len() {
            // Replayed meanwhile, so that its place in the inbox is not ours to take.
            return Ok(None);
        }
        let left = lanes.leave(lane);
        lanes.save(&mut tx, now).await?;
        tx.commit().await?;
        for letter in letters {
            let DeadLetter { id, topic, partition, offset, .. } = letter;
            tracing::warn!(%lane, %id, topic, partition, offset, "a dead letter was discarded");
        }
        Ok(Some(Discarded { discarded, left }))
    }
}

async fn groups(db: &Db) -> Result<Vec<Group>, StoreError> {
    let sql = format!(
        "select h.cause, h.summary, h.event_type, count(*), cast(sum({LETTERS}) as bigint), \
         min(h.first_at), max(h.last_at) {FIRST_LETTER} \
         group by h.cause, h.summary, h.event_type order by count(*) desc, h.cause, h.summary"
    );
    let group = |row: &Row| {
        Ok(Group {
            cause: row.get(0)?,
            summary: row.get(1)?,
            event_type: row.get(2)?,
            lanes: row.get(3)?,
            letters: row.get(4)?,
            first_at: row.get(5)?,
            last_at: row.get(6)?,
        })
    };
    db.fetch(&sql, Vec::new()).await?.iter().map(group).collect()
}

async fn lanes<C: Contract>(
    db: &Db,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ParkedLane>, StoreError> {
    let sql = format!(
        "select p.id, h.aggregate_id, h.cause, h.summary, {LETTERS}, h.attempts, p.since, h.last_at, \
         p.due_at {FIRST_LETTER} where p.id > $1 order by p.id limit $2"
    );
    let lane = |row: &Row| {
        Ok(ParkedLane {
            id: row.get(0)?,
            aggregate: AggregateField::of::<C>(row.get(1)?),
            cause: row.get(2)?,
            summary: row.get(3)?,
            letters: row.get(4)?,
            attempts: row.get(5)?,
            since: row.get(6)?,
            last_at: row.get(7)?,
            replaying: row.get::<Option<i64>>(8)?.is_some(),
        })
    };
    let values = vec![after.unwrap_or(Uuid::nil()).into(), Value::Int(limit)];
    db.fetch(&sql, values).await?.iter().map(lane).collect()
}

async fn held<C: Contract>(db: &Db) -> Result<Vec<Held>, StoreError> {
    let mut held = Vec::new();
    for (kind, table) in [("outcome", "effect"), ("alarm", "alarm")] {
        let sql = format!(
            "select id, aggregate_id, refused, due_at from {table} where refused is not null \
             order by due_at limit $1"
        );
        for row in db.fetch(&sql, vec![Value::Int(MOST_HELD)]).await? {
            let (id, aggregate) = (row.get(0)?, AggregateField::of::<C>(row.get(1)?));
            held.push(Held { kind, id, aggregate, why: row.get(2)?, due_at: row.get(3)? });
        }
    }
    Ok(held)
}

fn dead_letter<C: Contract>(row: &Row) -> Result<DeadLetter, StoreError> {
    let (Json(headers), Json(errors)) = (row.get(4)?, row.get(10)?);
    Ok(DeadLetter {
        topic: row.get(0)?,
        partition: row.get(1)?,
        offset: row.get(2)?,
        key: row.get::<Vec<u8>>(3)?.into(),
        headers,
        value: row.get::<Vec<u8>>(5)?.into(),
        attempts: row.get(6)?,
        id: row.get(7)?,
        aggregate: AggregateField::of::<C>(row.get(8)?),
        cause: row.get(9)?,
        errors,
        first_at: row.get(11)?,
        last_at: row.get(12)?,
        event_type: row.get(13)?,
    })
}
