//! Reads dead-letter queues and postponed inputs for an operator.

use event::Contract;
use store::{Db, Json, Row, StoreError, Value};
use uuid::Uuid;

use super::{
    DeadLetter, DeadLetterGroup, DeadLetterQueue, DeadLetterQueueSummary, DeadLetters,
    PostponedInput,
};
use crate::{AggregateField, Engine, Participant, dead_letters::dead_letter::RECORD};

/// The queues `q`, each with its first dead letter `first`.
const QUEUES: &str = "from dead_letter_queue q join dead_letter first on first.queue_id = q.id \
    and first.seq = (select min(seq) from dead_letter where queue_id = q.id)";
/// How many dead letters are in the queue `q`.
const COUNT: &str = "(select count(*) from dead_letter where queue_id = q.id)";

/// The most outcomes, and the most alarms, of one answer.
const MOST_POSTPONED: i64 = 500;

impl<P: Participant> Engine<P> {
    /// Lists the dead-letter queues after the id `after`, at most `limit`; with the groups of all queues.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn dead_letters(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<DeadLetters, StoreError> {
        let queues = queues::<P::Contract>(&self.db, after, limit).await?;
        let is_full = i64::try_from(queues.len()).is_ok_and(|count| count >= limit);
        let next = queues.last().filter(|_| is_full).map(|queue| queue.id);
        Ok(DeadLetters {
            groups: groups(&self.db).await?,
            queues,
            postponed: postponed::<P::Contract>(&self.db).await?,
            next,
        })
    }

    /// A dead-letter queue with its dead letters; `None` if there is no such queue.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn dead_letter_queue(
        &self,
        queue: Uuid,
    ) -> Result<Option<DeadLetterQueue>, StoreError> {
        let sql = "select parked_at, due_at from dead_letter_queue where id = $1";
        let rows = self.db.fetch(sql, vec![queue.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let sql = format!(
            "select {RECORD}, id, aggregate_id, cause, errors, first_at, last_at, event_type \
             from dead_letter where queue_id = $1 order by seq"
        );
        let rows = self.db.fetch(&sql, vec![queue.into()]).await?;
        let dead_letters = rows.iter().map(dead_letter::<P::Contract>).collect::<Result<_, _>>()?;
        let replaying = row.get::<Option<i64>>(1)?.is_some();
        Ok(Some(DeadLetterQueue { id: queue, since: row.get(0)?, replaying, dead_letters }))
    }
}

async fn groups(db: &Db) -> Result<Vec<DeadLetterGroup>, StoreError> {
    let sql = format!(
        "select first.cause, first.summary, first.event_type, count(*), \
         cast(sum({COUNT}) as bigint), min(first.first_at), max(first.last_at) {QUEUES} \
         group by first.cause, first.summary, first.event_type \
         order by count(*) desc, first.cause, first.summary"
    );
    let group = |row: &Row| {
        Ok(DeadLetterGroup {
            cause: row.get(0)?,
            summary: row.get(1)?,
            event_type: row.get(2)?,
            queues: row.get(3)?,
            dead_letters: row.get(4)?,
            first_at: row.get(5)?,
            last_at: row.get(6)?,
        })
    };
    db.fetch(&sql, Vec::new()).await?.iter().map(group).collect()
}

async fn queues<C: Contract>(
    db: &Db,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeadLetterQueueSummary>, StoreError> {
    let sql = format!(
        "select q.id, first.aggregate_id, first.cause, first.summary, {COUNT}, first.attempts, \
         q.parked_at, first.last_at, q.due_at {QUEUES} where q.id > $1 order by q.id limit $2"
    );
    let queue = |row: &Row| {
        Ok(DeadLetterQueueSummary {
            id: row.get(0)?,
            aggregate: AggregateField::of::<C>(row.get(1)?),
            cause: row.get(2)?,
            summary: row.get(3)?,
            dead_letters: row.get(4)?,
            attempts: row.get(5)?,
            since: row.get(6)?,
            last_at: row.get(7)?,
            replaying: row.get::<Option<i64>>(8)?.is_some(),
        })
    };
    let values = vec![after.unwrap_or(Uuid::nil()).into(), Value::Int(limit)];
    db.fetch(&sql, values).await?.iter().map(queue).collect()
}

async fn postponed<C: Contract>(db: &Db) -> Result<Vec<PostponedInput>, StoreError> {
    let mut postponed = Vec::new();
    for (kind, table) in [("outcome", "effect"), ("alarm", "alarm")] {
        let sql = format!(
            "select id, aggregate_id, refused, due_at from {table} where refused is not null \
             order by due_at limit $1"
        );
        for row in db.fetch(&sql, vec![Value::Int(MOST_POSTPONED)]).await? {
            let (id, aggregate) = (row.get(0)?, AggregateField::of::<C>(row.get(1)?));
            let (why, due_at) = (row.get(2)?, row.get(3)?);
            postponed.push(PostponedInput { kind, id, aggregate, why, due_at });
        }
    }
    Ok(postponed)
}

/// The dead letter of a row with the columns of [`Engine::dead_letter_queue`].
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
