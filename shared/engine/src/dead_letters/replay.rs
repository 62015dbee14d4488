//! Reads the dead letters that an operator wants replayed, and hands them to the engine as inputs.
//!
//! An operator's request for a replay sets `due_at` of the queue. [`Replays::step`] runs in a loop: at once after
//! a request to this replica, and every few seconds for requests to others. It claims the queues that are due,
//! so that no other replica replays them meanwhile, and makes an input of each of their dead letters, in order.
//! It applies nothing and deletes nothing. That is done in the batch that the inputs get into, where
//! [`sort`](super::sort()) applies a dead letter only if it is the first of its queue.
//!
//! A dead letter that still cannot be decoded ends its queue's replay once it is the first of the queue. The ones before it
//! are replayed in the meantime, those behind it wait. If the process dies before the batch
//! commits, the claim runs out after `settings.claim`, and a replica reads the same dead letters again.

use std::{collections::BTreeSet, sync::Arc};

use clock::Clock;
use event::{Decoded, decode};
use jiff::Timestamp;
use store::{Db, Row, StoreError, Value};
use uuid::Uuid;

use super::{
    dead_letter::{self, Attempt},
    queues::LockedQueues,
};
use crate::{
    Input, Origin, Participant, Reason, Replay, Settings, What, Work,
    claim::{Claim, Mender, Rows, claim},
    participant::consumes,
    settings::{Moment, later},
};

/// All dead-letter queues. Only those whose replay an operator has asked for are ever due.
const QUEUES: Rows<'_> = Rows { table: "dead_letter_queue", condition: "true" };
/// The most queues that one call claims.
const CLAIMED: usize = 100;
/// The most dead letters of a queue that one call reads. If more are left, the batch that applies these makes the
/// queue due again.
const READ: i64 = 500;

/// Replays the queues that an operator asks for.
pub struct Replays {
    db: Db,
    clock: Arc<dyn Clock>,
    settings: Settings,
    mender: Mender,
}

impl Replays {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        Self { db, clock, settings, mender: Mender::default() }
    }

    /// Claims the queues that are due, and returns their dead letters as inputs, in order.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn step<P: Participant>(&self) -> Result<Vec<Work<P>>, StoreError> {
        let now = Moment::of(&*self.clock);
        self.mender.mend(&self.db, QUEUES, now, self.settings.claim).await?;
        let now = now.wall;
        let mut works = Vec::new();
        let wanted = Claim {
            table: QUEUES.table,
            columns: "id",
            condition: QUEUES.condition,
            until: later(now, self.settings.claim),
            limit: CLAIMED,
        };
        for row in claim(&self.db, wanted, now).await? {
            works.extend(self.read(row.get(0)?, now).await?);
        }
        Ok(works)
    }

    /// The dead letters of a queue up to the first that cannot be decoded.
    async fn read<P: Participant>(
        &self,
        queue: Uuid,
        now: Timestamp,
    ) -> Result<Vec<Work<P>>, StoreError> {
        let sql = format!(
            "select {}, id from dead_letter where queue_id = $1 order by seq limit $2",
            dead_letter::RECORD
        );
        let rows = self.db.fetch(&sql, vec![queue.into(), Value::Int(READ)]).await?;
        let mut works = Vec::with_capacity(rows.len());
        for row in &rows {
            match decoded(row, queue)? {
                Ok(work) => works.push(work),
                Err(failure) => {
                    self.end(queue, failure, now).await?;
                    break;
                }
            }
        }
        Ok(works)
    }

    /// Ends the replay of a queue whose first dead letter still cannot be decoded. If it is not the first,
    /// nothing is written: those before it are applied first, which makes the queue due again.
    async fn end(
        &self,
        queue: Uuid,
        failure: Undecodable,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Undecodable { dead_letter, reason, attempt } = failure;
        let mut tx = self.db.begin().await?;
        let of_queue = BTreeSet::from([queue]);
        let mut queues = LockedQueues::lock(&mut tx, of_queue.clone(), &of_queue).await?;
        // An operator may have discarded it since it was read.
        if queues.first(queue) == Some(dead_letter) {
            let why = reason.to_string();
            tracing::error!(%queue, attempt, why, "a dead letter still cannot be decoded");
            queues.fail_first(queue, reason, attempt);
            queues.save(&mut tx, now).await?;
        }
        tx.commit().await
    }
}

/// A dead letter that was read and is no input.
struct Undecodable {
    dead_letter: Uuid,
    reason: Reason,
    attempt: i64,
}

/// The dead letter of this row as an input, or why it is none.
fn decoded<P: Participant>(
    row: &Row,
    queue: Uuid,
) -> Result<Result<Work<P>, Undecodable>, StoreError> {
    let Attempt { record, number: attempt } = Attempt::of(row)?;
    let dead_letter: Uuid = row.get(7)?;
    let undecodable = |reason| Ok(Err(Undecodable { dead_letter, reason, attempt }));
    let envelope = match decode(&record.key, &record.headers, &record.value) {
        Ok(Decoded::Event(envelope)) if consumes::<P>(&record) => envelope,
        Ok(_) => return undecodable(Reason::foreign()),
        Err(error) => return undecodable(Reason::unreadable(&error)),
    };
    let input = Input {
        cause: envelope.id.into(),
        at: envelope.at,
        trace: envelope.trace,
        what: What::Event(envelope.event),
    };
    let origin = Origin::Replay(Replay { dead_letter, queue, attempt, record });
    Ok(Ok(Work { input, origin }))
}
