//! The stages of one attempt at a batch, in the order in which [`Engine::attempt`] calls them.
//!
//! The stages up to the reactions lock rows in the same order in every service: inbox, dead letters, idempotency
//! keys, state tables, effects, alarms. Each statement sorts its keys. So two replicas whose batches need the same
//! rows wait for each other, and do not deadlock. `save` writes rows that are locked, and new ones. A sole replica
//! does not lock the state rows that it has cached.
//!
//! # What protects a commit
//!
//! The lease of the outbox is not renewed before COMMIT. Instead the inbox statement requires, in the transaction itself,
//! that this replica still has the ownership of the outbox on which the transaction relies (`deduplicate`). Only after a
//! COMMIT of unknown outcome the ownership is marked as in doubt (`commit`, [`Engine::abandon_attempt`]).
//! [`crate::outbox`] says why both suffice.

use std::collections::BTreeMap;

use bus::Position;

use super::{
    AnswersOnTheirWay,
    context::{Batch, BatchContext, Optimism},
    fold::Fold,
    idempotency::Keys,
    inbox,
};
use crate::{
    Answer, Applied, BatchError, Engine, Input, Origin, Participant, alarms,
    dead_letters::{self, Entered, Sorted},
    effects::{self, Claimed, InsertMode},
    outbox::{Change, OutboxRow, Ownership, SentRows, rows},
    settings::Moment,
};

/// The rows that a batch may read or change.
pub(super) struct Loaded<P: Participant> {
    world: P::World,
    keys: Keys<P>,
    /// The places of the inputs to react to.
    live: Vec<usize>,
}

/// What is handed on once the transaction has committed.
pub(super) struct Saved<P: Participant> {
    world: P::World,
    live: Vec<usize>,
    answers: Vec<(usize, Answer<P>)>,
    rows: Vec<OutboxRow>,
    /// The effects that this process has claimed: its effect runner gets them from here, and need not read the table.
    claimed: Vec<Claimed<P>>,
    /// How many effects the batch requested. Those that are not claimed wait in the table.
    requested: usize,
}

impl<P: Participant> Engine<P> {
    /// One attempt at a batch: open, deduplicate, sort out parked, load, react, save, write the outbox, commit, publish.
    pub(super) async fn attempt(
        &self,
        batch: Batch<'_, P>,
        optimism: Optimism,
        answers: &mut AnswersOnTheirWay<'_, P>,
    ) -> Result<Applied<P>, BatchError> {
        let mut context = BatchContext::open(self, batch, optimism).await?;
        let entered = context.deduplicate().await?;
        if crate::inject_bug!(InboxApart) {
            context = context.reopened().await?;
        }
        context.sort_out_parked(entered).await?;
        let loaded = context.load().await?;
        let reacted = context.react(loaded, answers).await?;
        let saved = context.save(reacted).await?;
        if crate::inject_bug!(DualWrite) {
            context = context.reopened().await?;
        }
        context.write_outbox(&saved.rows).await?;
        let committed = context.commit().await?;
        Ok(self.publish(committed, saved))
    }
}

/// The context after its transaction has committed.
pub(super) struct Committed<'a, P: Participant> {
    batch: Batch<'a, P>,
    ownership: Ownership,
    sorted: Sorted,
    sent: SentRows,
}

impl<'a, P: Participant> BatchContext<'a, P> {
    /// Begins the transaction.
    ///
    /// A sole replica uses the row cache: it neither reads nor locks the state rows that it has cached. In
    /// [`Ownership::InDoubt`] the replica may be the sole one too, but does not use the cache: the commit in doubt may
    /// yet take effect, and change a row in the database while an unlocked copy of it is in the cache.
    async fn open(
        engine: &'a Engine<P>,
        batch: Batch<'a, P>,
        optimism: Optimism,
    ) -> Result<Self, BatchError> {
        crate::crash_point!(BeforeBegin, batch.works);
        let mut tx = engine.outbox.begin(&engine.db).await?;
        // Only after the begin: the outbox cannot change hands from here on.
        let ownership = engine.outbox.ownership();
        if ownership == Ownership::Sole {
            tx.assume_sole_writer(&engine.outbox.row_cache, engine.clock.steady());
        }
        let sent = SentRows::new();
        let sorted = Sorted::default();
        Ok(Self { engine, batch, optimism, ownership, tx, sorted, sent })
    }

    /// Enters the ids into the inbox. The same statement requires what the transaction relies on.
    async fn deduplicate(&mut self) -> Result<Entered, BatchError> {
        let premise = self.engine.outbox.premise(self.ownership);
        let entering = inbox::Entering { now: self.batch.now, optimism: self.optimism, premise };
        let entered = inbox::enter(&mut self.tx, self.batch.works, entering).await?;
        if let Some(parked) = entered.any_parked {
            self.engine.note_parked(parked);
        }
        crate::crash_point!(AfterInbox, self.batch.works);
        Ok(entered)
    }

    /// Parks the inputs that cannot be applied, and the events behind them.
    async fn sort_out_parked(&mut self, entered: Entered) -> Result<(), BatchError> {
        let Batch { works, poison, now, .. } = self.batch;
        self.sorted = dead_letters::sort(&mut self.tx, works, poison, entered, now).await?;
        Ok(())
    }

    /// Loads the idempotency keys and the state rows, and takes the rows of outcomes and alarms.
    async fn load(&mut self) -> Result<Loaded<P>, BatchError> {
        let works = self.batch.works;
        let keys = Keys::load(&mut self.tx, works, self.batch.now, &self.engine.settings).await?;
        let world = self.load_world().await?;
        let live = self.still_pending().await?;
        crate::crash_point!(AfterLoad, works);
        Ok(Loaded { world, keys, live })
    }

    async fn load_world(&mut self) -> Result<P::World, BatchError> {
        let works = self.batch.works;
        let inputs: Vec<&Input<P>> =
            self.sorted.fresh.iter().map(|index| &works[*index].input).collect();
        Ok(self.engine.participant.load(&mut self.tx, &inputs).await?)
    }

    /// The places of the fresh inputs, without outcomes and alarms whose own row is gone (an earlier batch
    /// applied them) and without alarms that were set anew.
    async fn still_pending(&mut self) -> Result<Vec<usize>, BatchError> {
        let (works, fresh) = (self.batch.works, &self.sorted.fresh);
        let causes = |origin: Origin| {
            let fresh = fresh.iter().map(|index| &works[*index]);
            fresh.filter(|work| work.origin == origin).map(|work| work.input.cause).collect()
        };
        let (outcomes, rung) = (causes(Origin::Outcome), causes(Origin::Alarm));
        let mut pending =
            effects::take(&mut self.tx, outcomes, self.optimism.assumes_new()).await?;
        pending.extend(alarms::take(&mut self.tx, rung, self.batch.now).await?);
        let live = fresh.iter().copied().filter(|index| {
            let work = &works[*index];
            work.inbox_id().is_some()
                || pending.remove(&work.input.cause)
                || crate::inject_bug!(OutcomeTwice)
        });
        Ok(live.collect())
    }

    /// Has the service react to each input in turn, on the rows in memory.
    async fn react(
        &mut self,
        loaded: Loaded<P>,
        answers: &mut AnswersOnTheirWay<'_, P>,
    ) -> Result<Reacted<'a, P>, BatchError> {
        let works = self.batch.works;
        let Loaded { mut world, keys, live } = loaded;
        let mut fold = Fold::new(self.engine, self.batch, keys);
        for index in live.iter().copied() {
            if crate::inject_bug!(StaleFold) {
                world = self.load_world().await?;
            }
            fold.apply(&mut world, index, &works[index])?;
        }
        let given = fold.answers(&self.sorted, answers.unconfirmed);
        answers.add(works, &given);
        Ok(Reacted { world, live, answers: given, fold })
    }

    /// Writes what has changed, and what follows from it.
    async fn save(&mut self, reacted: Reacted<'_, P>) -> Result<Saved<P>, BatchError> {
        let (engine, Batch { works, poison, now, .. }) = (self.engine, self.batch);
        let Reacted { world, live, answers, fold } = reacted;
        fold.keys.save(&mut self.tx, now).await?;
        engine.participant.save(&mut self.tx, &world).await?;
        let requested = fold.effects.len();
        let assume_new = self.optimism.assumes_new();
        let mode = InsertMode { room: engine.effects.room(), assume_new };
        let at = Moment { wall: now, steady: engine.clock.steady() };
        let claimed =
            effects::insert(&mut self.tx, fold.effects, mode, at, &engine.settings).await?;
        dead_letters::postpone(&mut self.tx, works, poison, now, &engine.settings).await?;
        alarms::change(&mut self.tx, fold.alarms, assume_new).await?;
        let rows = rows::pack(fold.events);
        Ok(Saved { world, live, answers, rows, claimed, requested })
    }

    /// Writes the rows of the outbox. A replica in exclusive mode deletes rows that were sent, in the same statement.
    async fn write_outbox(&mut self, rows: &[OutboxRow]) -> Result<(), BatchError> {
        if self.ownership.is_sole() {
            self.sent = self.engine.outbox.rows_to_delete();
        }
        rows::change(&mut self.tx, rows, &self.sent, self.batch.now).await?;
        Ok(())
    }

    /// Commits. If the outcome is unknown, the outbox's rows may be in the table, and they are not in the relay's queue.
    /// The repeat of the batch is a duplicate then, and writes none. So the relay must read them from the table, which
    /// is what `CommitUnknown` leads to.
    async fn commit(self) -> Result<Committed<'a, P>, BatchError> {
        let Self { engine, batch, ownership, tx, sorted, sent, .. } = self;
        if sorted.parked() > 0 {
            // Before the commit, since the answer to COMMIT may be lost. The repeat would not learn that an aggregate is parked: the
            // inbox statement says so in each row that it inserts, and the repeat inserts none, as its ids are there.
            engine.note_parked(true);
        }
        crate::crash_point!(BeforeCommit, batch.works);
        if let Err(error) = tx.commit().await {
            if !super::is_definite(&error) {
                engine.outbox.change(Change::CommitUnknown);
            }
            return Err(error.into());
        }
        crate::crash_point!(AfterCommit, &(batch.works, &sent));
        Ok(Committed { batch, ownership, sorted, sent })
    }

    /// For two injected bugs: commits what is written so far, apart from what follows.
    async fn reopened(self) -> Result<Self, BatchError> {
        let Self { engine, batch, optimism, ownership, tx, sorted, sent } = self;
        tx.commit().await?;
        let tx = engine.db.begin().await?;
        Ok(Self { engine, batch, optimism, ownership, tx, sorted, sent })
    }
}

impl<P: Participant> Engine<P> {
    /// After the commit: hands the events to the relay and the effects to their runner, and reports.
    fn publish(&self, committed: Committed<'_, P>, saved: Saved<P>) -> Applied<P> {
        let Committed { batch, ownership, sorted, sent } = committed;
        let Saved { world, live, answers, rows, claimed, requested } = saved;
        let emitted = rows::count(&rows);
        self.outbox.committed(rows, ownership, &sent);
        self.effects.push(claimed, requested);
        self.participant.committed(&world, self.clock.now());
        if sorted.more {
            self.replay_wake.notify_one();
        }
        sorted.report(&self.metrics);
        batch.spans.duplicates(&live, &sorted.aside);
        Applied {
            answers,
            positions: positions(batch),
            duplicates: batch.works.len() - live.len() - sorted.aside.len(),
            emitted,
            parked: sorted.parked(),
        }
    }
}

/// The rows as the reactions left them, and what the reactions add up to.
pub(super) struct Reacted<'a, P: Participant> {
    world: P::World,
    live: Vec<usize>,
    answers: Vec<(usize, Answer<P>)>,
    fold: Fold<'a, P>,
}

/// For each partition the offset after the batch's last record.
fn positions<P: Participant>(batch: Batch<'_, P>) -> Vec<Position> {
    let mut furthest: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    let applied = batch.works.iter().filter_map(|work| match &work.origin {
        Origin::Event(record) => Some(record),
        _ => None,
    });
    for record in applied.chain(batch.poison.unreadable.iter().map(|it| &it.record)) {
        let next = furthest.entry((record.topic.as_str(), record.partition)).or_default();
        *next = (record.offset + 1).max(*next);
    }
    let positions = furthest.into_iter();
    positions
        .map(|((topic, partition), next)| Position { topic: topic.to_owned(), partition, next })
        .collect()
}
