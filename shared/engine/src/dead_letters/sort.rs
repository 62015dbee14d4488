//! Decides which inputs of a batch are applied, and which records join a dead-letter queue.
//!
//! [`sort`] runs in each batch, in the batch's transaction, after the inbox and before the reactions. It puts aside
//! what is known to be [poison](super::Poison), each event whose aggregate is parked, and each replayed dead letter
//! that is not the first of its queue. Events that are put aside join a queue. If the transaction fails, no queue
//! has changed, and the batch is tried again.
//!
//! # Why no event overtakes a parked one
//!
//! To show: an event is applied only if no earlier event of its aggregate, from the same partition, is parked at that
//! time. This must hold although several replicas share the partitions and the database. Records of different partitions
//! have no order: if one of them is applied while the other is being parked, it may as well have arrived first.
//!
//! Premises, for every batch:
//!
//! 1. A replica that receives an event has received all earlier records of the partition itself, or was
//!    given the partition at the offset that another replica had stored. *Held by the bus.*
//! 2. A replica begins a batch only after its previous one has committed, and stores an offset only after the commit
//!    of the batches that hold all records before it.
//!    *Held by `run_engine`, which applies one batch at a time and reports its positions once it is committed; by
//!    the crash matrix, at the point `BeforeOffsets`.*
//! 3. So each earlier record of the partition is in this batch, or an earlier batch has committed that applied or parked
//!    it (1, 2). A transaction that begins now sees that.
//!
//! A former member of the group may still work on records that the group has given to another. If both apply a record,
//! the inbox makes one of them a duplicate. If the former member parks a record that the other applies, the order of what
//! is applied is not affected, and a replay finds the record in the inbox and deletes the dead letter.
//!
//! **A batch that reads no queue.** Most do not, because no aggregate is parked.
//!
//! 4. The statement that enters a batch's ids into the inbox sees, in one snapshot, whether any aggregate is parked.
//!    An optimistic batch fails if one is; any other gets that as an answer. *Held by `inbox::enter`; test
//!    `a_replica_that_knew_of_no_parked_order_sees_what_another_has_parked`.*
//! 5. So no record of an earlier batch is parked (3, 4). None of this batch is parked either, for [`sort`] reads no queue
//!    only if the batch has no poison.
//! 6. Where one process is always the only replica, as with SQLite, an optimistic statement does not look for parked
//!    aggregates. This process has parked them itself, and remembers that in the flag `maybe_parked`. It
//!    sets the flag before the commit, so that it remembers a commit too whose outcome is unknown. A process
//!    that has just started has the flag set. Only an answer of 4 that no aggregate is parked clears it. A batch
//!    that gets this answer and then parks an aggregate sets the flag again, since it sets it later. *Test
//!    `an_order_that_was_parked_by_a_commit_with_an_unknown_outcome_is_remembered`.*
//!
//! **A batch that reads the queues**, because an aggregate is parked, or because it has poison or replays.
//!
//! 7. It locks the queues of all its events and replays, and then reads those that it replays. A statement sees what had
//!    committed when it began (READ COMMITTED). Every transaction that adds to a queue or takes from it does so. *Held by
//!    [`LockedQueues`], which only `lock` makes, and by [`Touched`].*
//! 8. It goes through its inputs in the order of their arrival. An event joins the queue of its aggregate if there is
//!    one, also one that this batch makes or empties ([`LockedQueues::is_parked`]). An unreadable record belongs to the
//!    aggregate that its key names, as an event does. So no event overtakes a record of this batch, nor one that was
//!    parked by an earlier batch (3, 7). The retry loop may cut a batch into batches of one input each, in the same order.
//! 9. A replayed dead letter is applied only if it is the first of its queue, which is in the order of `seq`. So it
//!    overtakes none of its queue. A replay that comes late, twice or to two replicas finds another one there, or none.
//! 10. The transaction that takes the last dead letter deletes the queue. *Held by [`LockedQueues::save`].* An event
//!     may get the queue's lock before that transaction, and join the queue. Then the replaying transaction reads the
//!     event's dead letter once it has the lock, keeps the queue, and makes it due at once, unless the replay has failed.
//!     Or the event gets the lock afterwards. Then the row is gone, and the event is applied. So no event is left behind
//!     in a queue of which all others were applied. *Tests
//!     `an_event_that_joins_its_queue_during_a_replay_is_replayed_too` and
//!     `an_event_that_arrives_while_the_last_dead_letter_is_replayed_is_applied`.*
//! 11. An aggregate has one queue, so that 7 to 10 hold for all its dead letters. A queue that does not exist yet cannot be
//!     locked: two replicas that park the same aggregate at once both insert its row. The second one fails on the key,
//!     which the retry loop counts as a lost race. It runs the batch again, and locks the row that exists now. *Test
//!     `an_order_that_two_replicas_park_at_once_has_one_queue_with_both_dead_letters`.*
//!
//! # Why a parked aggregate forbids optimistic inserts
//!
//! As a rule a batch enters its ids into the inbox optimistically: it assumes that all are new, and does not wait
//! for the database's answer before the reactions run. While any aggregate is parked, the batch needs
//! that answer first, for three reasons:
//!
//! - An event of a parked aggregate is not applied, and must not stay in the inbox. Which events these are is
//!   known only once their queues are read, and an optimistic batch reads no queue.
//! - Only a new event joins a queue. The inbox must say which events are repeats that were applied before.
//! - A replayed dead letter may be in the inbox already, because a good copy of it was applied. To an optimistic
//!   insert that is an error; here it is a dead letter to delete.
//!
//! So the engine applies a batch optimistically only if no aggregate may be parked, and it has no poison and no replays.

use std::collections::{BTreeSet, HashSet};

use event::{Contract, EventType};
use jiff::Timestamp;
use store::{Kind, StoreError, Tx};
use uuid::Uuid;

use super::{Poison, dead_letter::NewDeadLetter, queues::LockedQueues};
use crate::{Cause, Input, Metrics, Origin, Participant, Reason, Replay, What, Work};

/// What the inbox says of a batch.
pub(crate) struct Entered {
    /// The indices of the inputs that were not applied before. Of an id that is twice in the batch, the first. An
    /// optimistic batch assumes that all are fresh. Outcomes and alarms, which are not in the inbox, are always fresh.
    pub(crate) fresh: Vec<usize>,
    /// Whether any aggregate is parked. `None` if the database did not answer that: the batch is optimistic, or entered
    /// no id.
    pub(crate) any_parked: Option<bool>,
}

/// A batch, sorted into what is applied and what is not. The numbers are indices of inputs in the batch.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    /// What is to be applied, unless an outcome's or alarm's own row is gone.
    pub(crate) fresh: Vec<usize>,
    /// What this batch does not apply: what joins a queue or cannot be applied, and replays that come too late.
    pub(crate) aside: Vec<usize>,
    /// The dead letters among `fresh`.
    replayed: Vec<usize>,
    /// The dead letters that are new.
    parked: Vec<NewDeadLetter>,
    /// A queue has dead letters left that are to be replayed at once.
    pub(crate) more: bool,
}

/// Sorts a batch whose ids the inbox has `entered`, and writes the changes of all dead-letter queues.
///
/// The ids of inputs that are put aside are taken out of the inbox again, because they are not applied: if they stayed,
/// their replay would count as a duplicate and change nothing.
pub(crate) async fn sort<P: Participant>(
    tx: &mut Tx,
    batch: &[Work<P>],
    poison: &Poison,
    entered: Entered,
    now: Timestamp,
) -> Result<Sorted, StoreError> {
    if entered.any_parked != Some(true) && poison.is_empty() && !has_replays(batch) {
        return Ok(Sorted { fresh: entered.fresh, ..Sorted::default() });
    }
    let unreadable: Vec<NewDeadLetter> =
        poison.unreadable.iter().map(NewDeadLetter::unreadable::<P::Contract>).collect();
    let Touched { queues, replayed } = Touched::by(batch, &unreadable);
    let mut sorting = Sorting {
        queues: LockedQueues::lock(tx, queues, &replayed).await?,
        entered: entered.fresh.into_iter().collect(),
        withdrawn: BTreeSet::new(),
        sorted: Sorted::default(),
    };
    sorting.sort_all(batch, poison, unreadable);
    sorting.save(tx, now).await
}

fn has_replays<P: Participant>(batch: &[Work<P>]) -> bool {
    batch.iter().any(|work| matches!(work.origin, Origin::Replay(_)))
}

/// The queues that matter to a batch.
struct Touched {
    /// All of them: the queues of its events, replays and unreadable records.
    queues: BTreeSet<Uuid>,
    /// Those of its replays.
    replayed: BTreeSet<Uuid>,
}

impl Touched {
    fn by<P: Participant>(batch: &[Work<P>], unreadable: &[NewDeadLetter]) -> Self {
        let mut queues: BTreeSet<Uuid> = unreadable.iter().map(|it| it.queue).collect();
        let mut replayed = BTreeSet::new();
        for work in batch {
            match &work.origin {
                Origin::Event(_) => _ = queues.insert(queue_of(&work.input)),
                Origin::Replay(replay) => _ = replayed.insert(replay.queue),
                Origin::Command(_) | Origin::Outcome | Origin::Alarm => {}
            }
        }
        queues.extend(&replayed);
        Self { queues, replayed }
    }
}

/// The id of the queue that an event would join: its aggregate's; its own, if it is about no aggregate.
fn queue_of<P: Participant>(input: &Input<P>) -> Uuid {
    input.aggregate().map_or(input.cause, Into::into)
}

/// A batch while it is sorted, input by input.
struct Sorting {
    queues: LockedQueues,
    /// The inputs that were new to the inbox, by index.
    entered: HashSet<usize>,
    /// Ids to take out of the inbox again.
    withdrawn: BTreeSet<Uuid>,
    sorted: Sorted,
}

impl Sorting {
    /// Sorts the inputs, and the dead letters of the records that cannot be decoded, in the order of arrival.
    fn sort_all<P: Participant>(
        &mut self,
        batch: &[Work<P>],
        poison: &Poison,
        unreadable: Vec<NewDeadLetter>,
    ) {
        let positions = poison.unreadable.iter().map(|record| record.before);
        let mut unreadable = positions.zip(unreadable).peekable();
        for (index, work) in batch.iter().enumerate() {
            while let Some((_, dead_letter)) = unreadable.next_if(|(before, _)| *before <= index) {
                self.queues.add(dead_letter);
            }
            self.sort_input(index, work, poison.reason(index));
        }
        for (_, dead_letter) in unreadable {
            self.queues.add(dead_letter);
        }
    }

    /// Sorts the input at this index, which cannot be applied if there is a reason why not.
    fn sort_input<P: Participant>(
        &mut self,
        index: usize,
        work: &Work<P>,
        reason: Option<&Reason>,
    ) {
        let id = work.input.cause;
        match (&work.origin, &work.input.what) {
            (Origin::Replay(replay), _) => self.sort_replay(index, id, replay, reason),
            // A duplicate.
            _ if !self.entered.contains(&index) => {}
            (Origin::Event(record), What::Event(event)) => {
                let queue = queue_of(&work.input);
                let reason = match reason {
                    Some(reason) => reason.clone(),
                    None if self.queues.is_parked(queue) => Reason::behind(),
                    None => return self.sorted.fresh.push(index),
                };
                self.queues.add(NewDeadLetter {
                    id,
                    queue,
                    aggregate: work.input.aggregate().map(Into::into),
                    event_type: Some(event.event_type().as_str()),
                    reason,
                    record: record.clone(),
                });
                self.put_aside(index, id);
            }
            // A command is answered with an error; an outcome or an alarm is postponed in its own table.
            _ if reason.is_some() => self.put_aside(index, id),
            _ => self.sorted.fresh.push(index),
        }
    }

    /// Applies a dead letter if it is the first of its queue, and not if its event was applied already.
    fn sort_replay(&mut self, index: usize, id: Uuid, replay: &Replay, reason: Option<&Reason>) {
        if self.queues.first(replay.queue) != Some(replay.dead_letter) {
            // An operator has discarded it, or it was replayed before, or one before it has failed.
            return self.put_aside(index, id);
        }
        if let Some(reason) = reason {
            self.queues.fail_first(replay.queue, reason.clone(), replay.attempt);
            return self.put_aside(index, id);
        }
        self.queues.take_first(replay.queue);
        // The broker may have delivered the event again, before its replay in this batch. Then that
        // copy was entered into the inbox and put aside, and the replay is the one to apply.
        let is_copy_aside = self.withdrawn.remove(&id);
        if is_copy_aside || self.entered.contains(&index) {
            self.sorted.fresh.push(index);
            self.sorted.replayed.push(index);
        }
    }

    fn put_aside(&mut self, index: usize, id: Uuid) {
        self.sorted.aside.push(index);
        if self.entered.contains(&index) {
            self.withdrawn.insert(id);
        }
    }

    /// Writes the queues, and takes out of the inbox what is not applied.
    async fn save(self, tx: &mut Tx, now: Timestamp) -> Result<Sorted, StoreError> {
        let Self { queues, withdrawn, mut sorted, .. } = self;
        let saved = queues.save(tx, now).await?;
        (sorted.parked, sorted.more) = (saved.parked, saved.more_to_replay);
        let withdrawn = withdrawn.into_iter().map(Into::into).collect();
        tx.discard("inbox", "id", Kind::Uuid, withdrawn).await?;
        Ok(sorted)
    }
}

impl Sorted {
    /// How many dead letters are new.
    pub(crate) fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Logs and counts what was parked and replayed. Runs once that is committed.
    pub(crate) fn report(&self, metrics: &Metrics) {
        for dead_letter in &self.parked {
            metrics.parked(dead_letter.reason.cause);
            log(dead_letter);
        }
        metrics.replayed(self.replayed.len());
    }
}

/// A record that only waits behind another is no error of its own.
fn log(dead_letter: &NewDeadLetter) {
    let NewDeadLetter { queue, aggregate, reason, record, .. } = dead_letter;
    let (topic, partition, offset) = (&record.topic, record.partition, record.offset);
    let aggregate_id = aggregate.map(tracing::field::display);
    if reason.cause == Cause::Behind {
        tracing::info!(
            aggregate_id,
            topic,
            partition,
            offset,
            "an event waits behind a dead letter of its aggregate"
        );
    } else {
        let why = reason.to_string();
        tracing::error!(
            aggregate_id, %queue, topic, partition, offset, why,
            "a record cannot be applied: it is parked, and later events of its aggregate too"
        );
    }
}
