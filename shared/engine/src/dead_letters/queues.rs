//! The dead-letter queues that one transaction changes: locked, changed in memory, then written.
//!
//! 1. [`LockedQueues::lock`] locks the rows of the queues in `dead_letter_queue`, and reads which dead letters are in
//!    those that are replayed.
//! 2. The caller adds dead letters, takes the first one of a queue away, or notes that it failed again.
//! 3. [`LockedQueues::save`] writes the changes. A queue whose last dead letter was taken is deleted, which
//!    ends the parking of its aggregate.
//!
//! Nothing is written before `save`. If the transaction is rolled back, all queues are as they were.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use store::{Column, Kind, StoreError, Table, Tx, Value};
use uuid::Uuid;

use super::dead_letter::{self, NewDeadLetter};
use crate::Reason;

const QUEUE: Table = Table {
    name: "dead_letter_queue",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "parked_at", kind: Kind::Int },
        Column { name: "due_at", kind: Kind::Int },
    ],
};

/// What is read of a queue to lock it.
const LOCK: Table =
    Table { name: "dead_letter_queue", columns: &[Column { name: "id", kind: Kind::Uuid }] };

/// When a queue is to be replayed.
const DUE: Table = Table {
    name: "dead_letter_queue",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "due_at", kind: Kind::Int }],
};

/// Which dead letters are in a queue.
const CONTENT: Table = Table {
    name: "dead_letter",
    columns: &[
        Column { name: "queue_id", kind: Kind::Uuid },
        Column { name: "seq", kind: Kind::Int },
        Column { name: "id", kind: Kind::Uuid },
    ],
};

/// What changes when a dead letter fails again.
const FAILED: Table = Table {
    name: "dead_letter",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "cause", kind: Kind::Text },
        Column { name: "summary", kind: Kind::Text },
        Column { name: "errors", kind: Kind::Text },
        Column { name: "attempts", kind: Kind::Int },
        Column { name: "last_at", kind: Kind::Int },
    ],
};

/// The queues that a transaction may change, and the changes. Only [`LockedQueues::lock`] makes one.
#[derive(Debug)]
pub(crate) struct LockedQueues {
    by_id: BTreeMap<Uuid, Queue>,
    added: Vec<NewDeadLetter>,
    /// The ids of dead letters that were applied or discarded.
    taken: Vec<Uuid>,
    failed: Vec<FailedAgain>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The aggregate was not parked before this transaction.
    is_new: bool,
    /// The ids of the dead letters, in order. Of a queue that is not replayed, only those that this transaction adds.
    dead_letters: VecDeque<Uuid>,
    /// What a replay, or an operator who discards, did to the queue.
    progress: Progress,
}

/// Whether the time of a queue's next replay changes, and to what.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// No dead letter was taken or tried: the time stays.
    #[default]
    None,
    /// Dead letters were taken: the replay goes on at once with those that are left.
    Advanced,
    /// The replay is over, until an operator asks for another.
    Ended,
}

impl Progress {
    /// When the queue is due. No time means that no replay is wanted.
    fn due_at(self, now: Timestamp) -> Option<Timestamp> {
        (self == Self::Advanced).then_some(now)
    }
}

/// A dead letter that was tried once more and failed again.
#[derive(Debug)]
struct FailedAgain {
    dead_letter: Uuid,
    reason: Reason,
    attempts: i64,
}

/// What the changes of a transaction came to.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// The dead letters that are new, without those that were in the table already.
    pub(super) parked: Vec<NewDeadLetter>,
    /// A replayed queue has dead letters left that are to be tried at once.
    pub(super) more_to_replay: bool,
}

impl LockedQueues {
    /// Locks those of these queues that exist, and reads what is in the `replayed` ones.
    ///
    /// Only once it has the locks it reads what is in them: a dead letter that joins a queue while this waits for the
    /// lock would be missed otherwise, and the queue deleted as empty.
    ///
    /// The rows are locked in the order of their ids, so that two transactions with several queues in common do
    /// not wait for each other in a circle. An operator's requests take the same locks.
    pub(crate) async fn lock(
        tx: &mut Tx,
        queues: BTreeSet<Uuid>,
        replayed: &BTreeSet<Uuid>,
    ) -> Result<Self, StoreError> {
        let (added, taken, failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut locked = Self { by_id: BTreeMap::new(), added, taken, failed };
        for row in tx.select_locked(&LOCK, values(queues)).await? {
            locked.by_id.insert(row.get(0)?, Queue::default());
        }
        let mut content: Vec<(Uuid, i64, Uuid)> = Vec::new();
        for row in tx.select_locked(&CONTENT, values(replayed.iter().copied())).await? {
            content.push((row.get(0)?, row.get(1)?, row.get(2)?));
        }
        content.sort_unstable();
        for (queue, _, dead_letter) in content {
            if let Some(queue) = locked.by_id.get_mut(&queue) {
                queue.dead_letters.push_back(dead_letter);
            }
        }
        Ok(locked)
    }

    /// Whether the queue exists, before this transaction or because of it. A queue whose last dead letter this
    /// transaction has taken still exists: an event that joins it is replayed next.
    pub(crate) fn is_parked(&self, queue: Uuid) -> bool {
        self.by_id.contains_key(&queue)
    }

    /// Puts a dead letter at the end of its queue, and makes the queue if there is none.
    pub(crate) fn add(&mut self, dead_letter: NewDeadLetter) {
        // An unreadable record whose dead letter an operator has repaired in the table: its replay was applied just
        // before in this batch, and now the broker has delivered the record once more, as broken as it was. Without
        // this check its aggregate would stay parked, with a queue that has no dead letter. Test
        // `a_record_that_is_delivered_again_with_its_own_replay_is_not_parked_again`.
        if self.taken.contains(&dead_letter.id) {
            return;
        }
        let queue = self.by_id.entry(dead_letter.queue);
        let queue = queue.or_insert_with(|| Queue { is_new: true, ..Queue::default() });
        if !queue.dead_letters.contains(&dead_letter.id) {
            queue.dead_letters.push_back(dead_letter.id);
        }
        self.added.push(dead_letter);
    }

    /// The first dead letter of a queue that is replayed.
    pub(crate) fn first(&self, queue: Uuid) -> Option<Uuid> {
        self.by_id.get(&queue)?.dead_letters.front().copied()
    }

    /// Takes the first dead letter of a queue away: it is applied, or an operator discards it.
    pub(crate) fn take_first(&mut self, queue: Uuid) {
        let Some(queue) = self.by_id.get_mut(&queue) else { return };
        if queue.progress == Progress::None {
            queue.progress = Progress::Advanced;
        }
        self.taken.extend(queue.dead_letters.pop_front());
    }

    /// Notes that the first dead letter of a queue failed again, which ends the replay.
    pub(crate) fn fail_first(&mut self, queue: Uuid, reason: Reason, attempts: i64) {
        let Some(queue) = self.by_id.get_mut(&queue) else { return };
        queue.progress = Progress::Ended;
        let first = queue.dead_letters.front();
        self.failed.extend(first.map(|id| FailedAgain { dead_letter: *id, reason, attempts }));
    }

    /// Ends the replay of a queue. Returns how many dead letters are left in it.
    pub(crate) fn end_replay(&mut self, queue: Uuid) -> usize {
        let Some(queue) = self.by_id.get_mut(&queue) else { return 0 };
        queue.progress = Progress::Ended;
        queue.dead_letters.len()
    }

    /// Writes all changes.
    pub(crate) async fn save(self, tx: &mut Tx, now: Timestamp) -> Result<Saved, StoreError> {
        let Self { by_id: queues, added, taken, failed } = self;
        insert_queues(tx, &queues, now).await?;
        let parked = insert_dead_letters(tx, added, now).await?;
        update_failed(tx, failed, now).await?;
        tx.discard(dead_letter::TABLE.name, "id", Kind::Uuid, values(taken)).await?;
        let more_to_replay = update_replayed(tx, queues, now).await?;
        Ok(Saved { parked, more_to_replay })
    }
}

/// Inserts the queues that are new. A key that is taken is an error here: two replicas that park the same
/// aggregate at once both saw no queue to lock, and the second one must run its batch again and see it.
async fn insert_queues(
    tx: &mut Tx,
    queues: &BTreeMap<Uuid, Queue>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let new = queues.iter().filter(|(_, queue)| queue.is_new);
    let rows = new.map(|(id, _)| vec![(*id).into(), now.into(), Value::Null(Kind::Int)]);
    tx.insert(&QUEUE, rows.collect()).await
}

/// Inserts dead letters. Returns those that are new: a record that the broker delivers again is in the table already.
async fn insert_dead_letters(
    tx: &mut Tx,
    mut added: Vec<NewDeadLetter>,
    now: Timestamp,
) -> Result<Vec<NewDeadLetter>, StoreError> {
    let rows = added.iter().map(|dead_letter| dead_letter.row(now)).collect();
    let mut inserted = BTreeSet::new();
    for row in tx.insert_new(&dead_letter::TABLE, rows).await? {
        inserted.insert(row.get::<Uuid>(0)?);
    }
    added.retain(|dead_letter| inserted.remove(&dead_letter.id));
    Ok(added)
}

async fn update_failed(
    tx: &mut Tx,
    failed: Vec<FailedAgain>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = failed.into_iter().map(|FailedAgain { dead_letter, reason, attempts }| {
        vec![
            dead_letter.into(),
            reason.cause.into(),
            reason.summary().into(),
            Value::json(&reason.errors),
            attempts.into(),
            now.into(),
        ]
    });
    tx.update(&FAILED, rows.collect()).await
}

/// Deletes the replayed queues that are empty, and says when the others are due. Returns whether one is due now.
async fn update_replayed(
    tx: &mut Tx,
    queues: BTreeMap<Uuid, Queue>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let replayed = queues.into_iter().filter(|(_, queue)| queue.progress != Progress::None);
    let (empty, left): (Vec<_>, Vec<_>) =
        replayed.partition(|(_, queue)| queue.dead_letters.is_empty());
    let empty = empty.into_iter().map(|(id, _)| id);
    tx.discard(QUEUE.name, "id", Kind::Uuid, values(empty)).await?;
    let rows = left.iter().map(|(id, queue)| vec![(*id).into(), queue.progress.due_at(now).into()]);
    tx.update(&DUE, rows.collect()).await?;
    Ok(left.iter().any(|(_, queue)| queue.progress.due_at(now).is_some()))
}

fn values(ids: impl IntoIterator<Item = Uuid>) -> Vec<Value> {
    ids.into_iter().map(Into::into).collect()
}
