//! One transaction per batch. The order of its statements is the order of its locks, the same in
//! every service: inbox, idempotency keys, state tables, effects, alarms, outbox. Who is alone has
//! nobody to lock state rows against.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use bus::Position;
use clock::Clock;
use event::{Contract, Versions};
use jiff::Timestamp;
use store::{Db, StoreError, Tx};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    Answer, EngineOptions, Input, Metrics, Origin, Parking, Participant, Remembered, Settings,
    Turn, TurnError, Work, alarms, dead_letters,
    effects::{self, EffectQueue, InsertMode},
    exclusive::Exclusive,
    fold::Fold,
    handoff::{Handoff, Rows},
    idempotency::Keys,
    inbox::{self, Trust},
    outbox::{self, Bundle},
    settings::Moment,
    standstill::Standstill,
    telemetry::TurnSpans,
};

/// Applies batches. Everything that happens to a service's rows happens in [`Engine::turn`].
pub struct Engine<P: Participant> {
    pub(crate) participant: P,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) versions: Versions<P::Contract>,
    pub(crate) max_record_bytes: usize,
    pub(crate) replica: Uuid,
    pub(crate) exclusive: Arc<Exclusive>,
    pub(crate) handoff: Arc<Handoff>,
    pub(crate) standstill: Arc<Standstill>,
    pub(crate) effects: Arc<EffectQueue<P>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Some aggregate may be parked: so it was when that was last asked, or it never was.
    some_parked: AtomicBool,
    /// There are dead letters to try again.
    pub(crate) replay_wake: Arc<Notify>,
    /// Turns since the last commit.
    attempts: AtomicU32,
    /// The result of the last commit is unknown.
    in_doubt: AtomicBool,
    pub(crate) source: String,
}

impl<P: Participant> Engine<P> {
    /// An engine for `participant` on `db`. Nothing runs until it is turned.
    pub fn new(
        participant: P,
        db: Db,
        clock: Arc<dyn Clock>,
        options: EngineOptions<P::Contract>,
    ) -> Self {
        let Settings { exclusive, lease, .. } = options.settings;
        Self {
            participant,
            db,
            clock,
            versions: options.versions,
            max_record_bytes: options.max_record_bytes,
            replica: options.replica,
            exclusive: Arc::new(Exclusive::new(options.replica, exclusive, lease)),
            handoff: Arc::default(),
            standstill: Arc::new(Standstill::after(options.settings.standstill)),
            effects: Arc::new(EffectQueue::new(options.settings.effects_concurrency)),
            settings: options.settings,
            metrics: Arc::default(),
            some_parked: AtomicBool::new(true),
            replay_wake: Arc::default(),
            attempts: AtomicU32::new(0),
            in_doubt: AtomicBool::new(false),
            source: format!("/{}/{}", P::Contract::NAMESPACE, P::NAME),
        }
    }

    /// Applies a batch in one transaction: all of it, or nothing.
    ///
    /// After an error nothing is known to be applied; turn the same batch again, with the same
    /// `remembered`.
    ///
    /// # Errors
    /// [`TurnError::Store`] if the database did not commit; [`TurnError::Poison`] if an input
    /// cannot be applied.
    pub async fn turn(
        &self,
        batch: &[Work<P>],
        remembered: &mut Remembered<P>,
    ) -> Result<Turn<P>, TurnError> {
        self.turn_parking(batch, &Parking::default(), remembered).await
    }

    /// As [`Engine::turn`], of a batch some of which is to be parked.
    ///
    /// # Errors
    /// As [`Engine::turn`].
    pub async fn turn_parking(
        &self,
        batch: &[Work<P>],
        parking: &Parking,
        remembered: &mut Remembered<P>,
    ) -> Result<Turn<P>, TurnError> {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        let spans = TurnSpans::open(batch, attempt, &self.settings.messaging);
        let (now, began) = (self.clock.now(), self.clock.steady());
        let (now_and, both) = ((now, &spans), (batch, parking));
        let trust = self.trust(batch, parking);
        let mut told = Told { remembered, answers: Remembered::<P>::new() };
        let mut turned = self.apply(both, &mut told, now_and, trust).await;
        if trust != Trust::Nothing && turned.as_ref().is_err_and(may_be_misplaced_trust) {
            self.exclusive.kept().forget();
            told.answers.clear();
            turned = self.apply(both, &mut told, now_and, Trust::Nothing).await;
        }
        drop(told);
        if let Err(TurnError::Store(StoreError::Unmet)) = turned {
            turned = Err(self.look_who_is_there().await);
        }
        match &turned {
            Ok(turn) => {
                self.attempts.store(0, Ordering::Relaxed);
                let took = self.clock.steady().saturating_sub(began);
                self.metrics.committed(batch, turn, took);
            }
            Err(error) => {
                self.exclusive.kept().forget();
                self.metrics.failed();
                spans.failed(error);
            }
        }
        turned
    }

    /// See [`dead_letters::sort`]: whether an aggregate is parked is known here if no other process parks one.
    fn trust(&self, batch: &[Work<P>], parking: &Parking) -> Trust {
        let replays = || batch.iter().any(|work| matches!(work.origin, Origin::Parked(_)));
        let in_doubt = self.in_doubt.load(Ordering::Acquire);
        if in_doubt || self.some_parked.load(Ordering::Acquire) || !parking.is_empty() || replays()
        {
            Trust::Nothing
        } else if self.exclusive.is_always() {
            Trust::All
        } else {
            Trust::New
        }
    }

    /// As a rule nothing in a batch was applied before, and to take that for granted costs the
    /// database half as much. If it is a mistake, the database says so.
    async fn apply(
        &self,
        (batch, parking): (&[Work<P>], &Parking),
        told: &mut Told<'_, P>,
        (now, spans): (Timestamp, &TurnSpans),
        trust: Trust,
    ) -> Result<Turn<P>, TurnError> {
        crate::crash_point!(BeforeBegin, batch);
        let mut tx = self.exclusive.begin(&self.db).await?;
        let alone = self.exclusive.is_alone();
        if alone && !self.in_doubt.load(Ordering::Acquire) {
            tx.nobody_else_writes(self.exclusive.kept(), now);
        }
        let relied_on = self.exclusive.relied_on(alone);
        let entered = inbox::enter(&mut tx, batch, now, (trust, relied_on)).await?;
        if let Some(parked) = entered.parked {
            self.some_parked.store(parked, Ordering::Release);
        }
        crate::crash_point!(AfterInbox, batch);
        if crate::inject_bug!(InboxApart) {
            tx.commit().await?;
            tx = self.db.begin().await?;
        }
        let sorted = dead_letters::sort(&mut tx, batch, parking, entered, now).await?;
        let fresh = &sorted.fresh;
        let keys = Keys::load(&mut tx, batch, now, &self.settings).await?;
        let mut fold = Fold::new(self, keys, now, spans);
        let inputs: Vec<&Input<P>> = fresh.iter().map(|index| &batch[*index].input).collect();
        let mut world = self.participant.load(&mut tx, &inputs).await?;
        let live = still_pending(&mut tx, batch, fresh, (now, trust)).await?;
        crate::crash_point!(AfterLoad, batch);
        for index in live.iter().copied() {
            if crate::inject_bug!(StaleFold) {
                world = self.participant.load(&mut tx, &inputs).await?;
            }
            fold.apply(&mut world, index, &batch[index])?;
        }
        let answers = fold.answers(batch, &sorted, told.remembered);
        let by_cause =
            |(index, answer): &(usize, Answer<P>)| (batch[*index].input.cause, answer.clone());
        told.answers.extend(answers.iter().map(by_cause));
        fold.keys.save(&mut tx, now).await?;
        self.participant.save(&mut tx, &world).await?;
        let requested = fold.effects.len();
        let assume_new = trust != Trust::Nothing;
        let mode = InsertMode { room: self.effects.room(), assume_new };
        let at = Moment { wall: now, steady: self.clock.steady() };
        let claimed = effects::insert(&mut tx, fold.effects, mode, at, &self.settings);
        let claimed = claimed.await?;
        dead_letters::put_off(&mut tx, batch, parking, now, &self.settings).await?;
        alarms::change(&mut tx, fold.alarms, assume_new).await?;
        let sent = if alone { self.handoff.acknowledged() } else { Rows::new() };
        if crate::inject_bug!(DualWrite) {
            tx.commit().await?;
            tx = self.db.begin().await?;
        }
        let emitted = fold.ready.len();
        let ready = outbox::bundles(fold.ready);
        outbox::change(&mut tx, &ready, &sent, now).await?;
        if sorted.parked() > 0 {
            // Also if nobody hears of the commit.
            self.some_parked.store(true, Ordering::Release);
        }
        crate::crash_point!(BeforeCommit, batch);
        if let Err(error) = tx.commit().await {
            if !is_definite(&error) {
                // It may have committed: then the rows are in the table and not in memory.
                self.in_doubt.store(true, Ordering::Release);
            }
            return Err(error.into());
        }
        crate::crash_point!(AfterCommit, &(batch, &sent));
        self.committed(&sent, ready, alone);
        self.effects.push(claimed, requested);
        self.participant.committed(&world, self.clock.now());
        if sorted.more {
            self.replay_wake.notify_one();
        }
        sorted.tell(&self.metrics);
        let duplicates = batch.len() - live.len() - sorted.aside.len();
        spans.duplicates(&live, &sorted.aside);
        let (positions, parked) = (positions(batch, parking), sorted.parked());
        Ok(Turn { answers, positions, duplicates, emitted, parked })
    }

    /// Somebody has come, or gone: the batch is to be turned again, knowing that.
    async fn look_who_is_there(&self) -> TurnError {
        let looked = self.exclusive.look(&self.db).await;
        self.handoff.reread();
        looked.err().unwrap_or(StoreError::Unmet).into()
    }

    /// Hands the relay what was committed.
    fn committed(&self, deleted: &Rows, ready: Vec<Bundle>, alone: bool) {
        self.handoff.forget(deleted);
        self.handoff.push(ready, alone);
        if self.in_doubt.swap(false, Ordering::AcqRel) {
            // Only now: this commit waited for the locks of the one in doubt, which is decided.
            self.handoff.reread();
        }
    }

    /// Whoever drops a turn, perhaps within its commit, says so before it is turned again.
    pub fn gave_up(&self) -> TurnError {
        self.exclusive.kept().forget();
        self.in_doubt.store(true, Ordering::Release);
        StoreError::TimedOut.into()
    }
}

/// What the attempts at a batch answer, on its way to where that is remembered: also if the turn is dropped
/// within its commit, which may have been done.
struct Told<'a, P: Participant> {
    remembered: &'a mut Remembered<P>,
    answers: Remembered<P>,
}

impl<P: Participant> Drop for Told<'_, P> {
    fn drop(&mut self) {
        self.remembered.extend(self.answers.drain());
    }
}

/// Whether the database may have said so because something in the batch was not new, or not pending, or a row
/// not as it was kept: nobody waits to hear that before the reactions.
fn may_be_misplaced_trust(error: &TurnError) -> bool {
    use StoreError::{Taken, Vanished};
    let TurnError::Store(error) = error else { return true };
    matches!(error, Taken { .. } | Vanished { .. })
}

/// Whether nothing was committed: a statement said so, and only the commit was waited for.
fn is_definite(error: &StoreError) -> bool {
    use StoreError::{Taken, Unmet, Vanished};
    matches!(error, Taken { .. } | Unmet | Vanished { .. })
}

/// Of the fresh ones, drops outcomes and alarms whose own row is gone (they were applied before),
/// and alarms that were set anew.
async fn still_pending<P: Participant>(
    tx: &mut Tx,
    batch: &[Work<P>],
    fresh: &[usize],
    (now, trust): (Timestamp, Trust),
) -> Result<Vec<usize>, StoreError> {
    let of = |origin: Origin| {
        let works = fresh.iter().map(|index| &batch[*index]);
        works.filter(|work| work.origin == origin).map(|work| work.input.cause).collect()
    };
    let trusted = trust != Trust::Nothing;
    let mut pending = effects::take(tx, of(Origin::Outcome), trusted).await?;
    pending.extend(alarms::take(tx, of(Origin::Alarm), now).await?);
    let live = fresh.iter().copied().filter(|index| {
        let work = &batch[*index];
        work.inbox_id().is_some()
            || pending.remove(&work.input.cause)
            || crate::inject_bug!(OutcomeTwice)
    });
    Ok(live.collect())
}

fn positions<P: Participant>(batch: &[Work<P>], parking: &Parking) -> Vec<Position> {
    let mut furthest: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    let applied = batch.iter().filter_map(|work| match &work.origin {
        Origin::Event(record) => Some(record),
        _ => None,
    });
    for record in applied.chain(parking.unreadable.iter().map(|(_, it)| &it.record)) {
        let next = furthest.entry((record.topic.as_str(), record.partition)).or_default();
        *next = (record.offset + 1).max(*next);
    }
    let positions = furthest.into_iter();
    positions
        .map(|((topic, partition), next)| Position { topic: topic.to_owned(), partition, next })
        .collect()
}
