//! Deletes dead letters that an operator never wants applied.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use store::{Column, Kind, StoreError, Table, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{DeadLetter, DeadLetterQueue};
use crate::{Engine, Participant, dead_letters::queues::LockedQueues};

/// What was discarded.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Discarded {
    /// Dead letters that were deleted.
    pub discarded: usize,
    /// Dead letters of the queue that still wait, to be replayed or discarded too.
    pub left: usize,
}

const INBOX: Table = Table {
    name: "inbox",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "at", kind: Kind::Int }],
};

impl<P: Participant> Engine<P> {
    /// Deletes the first dead letter of a queue, or `all` of them. Returns `None` if there is no such queue,
    /// or if a dead letter was replayed or discarded meanwhile: then nothing is deleted.
    ///
    /// A discarded event is entered into the inbox, so that it is not applied if the broker delivers it again. A record
    /// that could not be decoded has no id that could come again.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn discard(&self, queue: Uuid, all: bool) -> Result<Option<Discarded>, StoreError> {
        let now = self.clock.now();
        let Some(DeadLetterQueue { mut dead_letters, .. }) = self.dead_letter_queue(queue).await?
        else {
            return Ok(None);
        };
        dead_letters.truncate(if all { dead_letters.len() } else { 1 });
        let ids: BTreeSet<Uuid> = dead_letters.iter().map(|dead_letter| dead_letter.id).collect();
        let mut tx = self.db.begin().await?;
        // The inbox first: each transaction locks the inbox before the queues, so that no deadlock is possible.
        tx.insert_new(&INBOX, inbox_rows(&dead_letters, now)).await?;
        let of_queue = BTreeSet::from([queue]);
        let mut queues = LockedQueues::lock(&mut tx, of_queue.clone(), &of_queue).await?;
        let mut discarded = 0;
        while queues.first(queue).is_some_and(|first| ids.contains(&first)) {
            queues.take_first(queue);
            discarded += 1;
        }
        if discarded < ids.len() {
            // Without the commit, the inbox forgets the events again.
            return Ok(None);
        }
        // A discard ends a replay of the queue: an operator decides about the next dead letter too.
        let left = queues.end_replay(queue);
        queues.save(&mut tx, now).await?;
        tx.commit().await?;
        for DeadLetter { id, topic, partition, offset, .. } in dead_letters {
            tracing::warn!(%queue, %id, topic, partition, offset, "a dead letter was discarded");
        }
        Ok(Some(Discarded { discarded, left }))
    }
}

/// The inbox's rows of the dead letters that are events, in the order of their ids, as all transactions insert them.
fn inbox_rows(dead_letters: &[DeadLetter], now: Timestamp) -> Vec<Vec<Value>> {
    let events = dead_letters.iter().filter(|dead_letter| !dead_letter.cause.is_unreadable());
    let rows = events.map(|event| (event.id, vec![event.id.into(), now.into()]));
    rows.collect::<BTreeMap<Uuid, Vec<Value>>>().into_values().collect()
}
