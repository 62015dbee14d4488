//! Batches: everything that happens to a service's rows happens in [`Engine::apply_batch`], one transaction per
//! batch.
//!
//! | file | what it does |
//! |---|---|
//! | [`stages`] | the pipeline: open, deduplicate, sort out parked, load, react, save, write the outbox, commit, publish |
//! | [`context`] | what the stages of one attempt share |
//! | [`inbox`] | which inputs were applied before |
//! | [`idempotency`] | the response under each `Idempotency-Key` |
//! | [`fold`] | the reactions, one after the other |
//! | [`retry`] | the retry loop: a batch that fails runs again until it commits |
//! | [`outage`] | whether the database has not taken a batch for long |
//!
//! The consumer's records, the commands of HTTP requests, the answers to effects, alarms that ring, and replayed dead
//! letters are the inputs. `runtime` collects them into batches, and hands one batch at a time to the retry loop. The
//! simulator and tests call [`Engine::apply_batch`] themselves.
//!
//! An *attempt* is one transaction. It ends in one of three ways. It commits. It fails, and nothing is stored. Or its
//! outcome is unknown: the connection broke during COMMIT, or the attempt took too long and was dropped. After the last
//! two the retry loop applies the same batch again: the inbox tells a repeat from a first application.
//!
//! One call of `apply_batch` makes one attempt, or two if the first one assumed something wrong
//! ([`Engine::attempt_with_optimism`]).

mod context;
mod fold;
pub(crate) mod idempotency;
mod inbox;
pub(crate) mod outage;
pub(crate) mod retry;
mod stages;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use clock::Clock;
use context::{Batch, Optimism};
use event::{Contract, Versions};
use outage::DatabaseOutage;
use store::{Db, StoreError};
use tokio::sync::Notify;

use crate::{
    Answer, Applied, BatchError, EngineOptions, Metrics, Origin, Participant, Poison, Settings,
    UnconfirmedAnswers, Work,
    effects::EffectQueue,
    outbox::{Change, Outbox},
    telemetry::BatchSpans,
};

/// Applies batches.
pub struct Engine<P: Participant> {
    pub(crate) participant: P,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) versions: Versions<P::Contract>,
    pub(crate) max_record_bytes: usize,
    /// The source of its events, as CloudEvents names it.
    pub(crate) source: String,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) outage: Arc<DatabaseOutage>,
    pub(crate) effects: Arc<EffectQueue<P>>,
    pub(crate) metrics: Arc<Metrics>,
    /// An operator has asked for a replay of dead letters, or a replay has more of them to try.
    pub(crate) replay_wake: Arc<Notify>,
    /// Whether it is possible that an aggregate is parked. It becomes false once the database says that none is, and
    /// true again before this process parks one.
    maybe_parked: AtomicBool,
    /// Calls of [`Engine::apply_batch_without`] since the last commit. Spans show it as the attempt's number.
    calls: AtomicU32,
}

impl<P: Participant> Engine<P> {
    /// An engine for `participant` on `db`. It does nothing until a batch is applied.
    pub fn new(
        participant: P,
        db: Db,
        clock: Arc<dyn Clock>,
        options: EngineOptions<P::Contract>,
    ) -> Self {
        let EngineOptions { settings, versions, max_record_bytes, replica } = options;
        Self {
            participant,
            db,
            clock,
            versions,
            max_record_bytes,
            source: format!("/{}/{}", P::Contract::NAMESPACE, P::NAME),
            outbox: Arc::new(Outbox::new(replica, &settings)),
            outage: Arc::new(DatabaseOutage::after(settings.outage_after)),
            effects: Arc::new(EffectQueue::new(settings.effects_concurrency)),
            settings,
            metrics: Arc::default(),
            replay_wake: Arc::default(),
            maybe_parked: AtomicBool::new(true),
            calls: AtomicU32::new(0),
        }
    }

    /// Applies a batch in one transaction: all of it, or nothing.
    ///
    /// After an error the batch may or may not be applied. Apply the same inputs again, with the same `unconfirmed`,
    /// before any other batch: only that ends the doubt. One batch is applied at a time.
    ///
    /// # Errors
    /// [`BatchError::Store`] if the database did not commit, or did not say whether it has; [`BatchError::Poison`] if
    /// an input cannot be applied, in which case nothing was committed.
    pub async fn apply_batch(
        &self,
        works: &[Work<P>],
        unconfirmed: &mut UnconfirmedAnswers<P>,
    ) -> Result<Applied<P>, BatchError> {
        self.apply_batch_without(works, &Poison::default(), unconfirmed).await
    }

    /// As [`Engine::apply_batch`], where some inputs of the batch, and the unreadable records that came with it, are
    /// known to be `poison`. The service does not react to them. Records are parked as dead letters, commands are
    /// answered with an error, outcomes and alarms are postponed.
    ///
    /// # Errors
    /// As [`Engine::apply_batch`].
    pub async fn apply_batch_without(
        &self,
        works: &[Work<P>],
        poison: &Poison,
        unconfirmed: &mut UnconfirmedAnswers<P>,
    ) -> Result<Applied<P>, BatchError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let spans = BatchSpans::open(works, call, &self.settings.messaging);
        let (now, began) = (self.clock.now(), self.clock.steady());
        let batch = Batch { works, poison, now, spans: &spans };
        let result = self.attempt_with_optimism(batch, unconfirmed).await;
        match &result {
            Ok(applied) => {
                self.calls.store(0, Ordering::Relaxed);
                let took = self.clock.steady().saturating_sub(began);
                self.metrics.committed(works, applied, took);
            }
            Err(error) => {
                self.outbox.row_cache.clear();
                self.metrics.failed();
                spans.failed(error);
            }
        }
        result
    }

    /// As a rule every input is new. An attempt that assumes so costs the database half as much as one that asks. If
    /// the assumption is wrong, a statement fails, and the batch runs again at once without it.
    async fn attempt_with_optimism(
        &self,
        batch: Batch<'_, P>,
        unconfirmed: &mut UnconfirmedAnswers<P>,
    ) -> Result<Applied<P>, BatchError> {
        let optimism = self.optimism(batch);
        let mut answers = AnswersOnTheirWay { unconfirmed, new: UnconfirmedAnswers::<P>::new() };
        let mut result = self.attempt(batch, optimism, &mut answers).await;
        if optimism != Optimism::Nothing && result.as_ref().is_err_and(may_be_wrongly_assumed) {
            self.outbox.row_cache.clear();
            answers.new.clear();
            result = self.attempt(batch, Optimism::Nothing, &mut answers).await;
        }
        if let Err(BatchError::Store(StoreError::PreconditionFailed)) = result {
            // Only the premise about the ownership of the outbox is reported so: another replica took or shared the
            // outbox. The batch runs again, with that known.
            let looked = self.outbox.look(&self.db).await;
            return Err(looked.err().unwrap_or(StoreError::PreconditionFailed).into());
        }
        result
    }

    /// What the next attempt may assume.
    ///
    /// - After a commit with an unknown outcome the same batch may have been applied: nothing is assumed.
    /// - While an aggregate may be parked, the answer of the inbox is needed before the reactions run.
    ///   [`crate::dead_letters`] says why.
    /// - A file database has no other process, so this one knows that no aggregate is parked.
    fn optimism(&self, batch: Batch<'_, P>) -> Optimism {
        let Batch { works, poison, .. } = batch;
        let replays = || works.iter().any(|work| matches!(work.origin, Origin::Replay(_)));
        let maybe_parked = self.maybe_parked.load(Ordering::Acquire);
        if self.outbox.ownership().is_in_doubt() || maybe_parked || !poison.is_empty() || replays()
        {
            Optimism::Nothing
        } else if self.outbox.always_sole {
            Optimism::NewAndUnparked
        } else {
            Optimism::New
        }
    }

    /// Notes whether it is possible from now on that an aggregate is parked.
    fn note_parked(&self, parked: bool) {
        self.maybe_parked.store(parked, Ordering::Release);
    }

    /// Must be called after a call of [`Engine::apply_batch`] was dropped, perhaps during its COMMIT. Notes that the
    /// outcome is unknown, which also clears the row cache, and returns the error that stands for it.
    pub fn abandon_attempt(&self) -> BatchError {
        self.outbox.change(Change::CommitUnknown);
        StoreError::TimedOut.into()
    }
}

/// The answers of the attempts at a batch. They are remembered even if the attempt is dropped during its COMMIT,
/// which may have succeeded.
struct AnswersOnTheirWay<'a, P: Participant> {
    unconfirmed: &'a mut UnconfirmedAnswers<P>,
    new: UnconfirmedAnswers<P>,
}

impl<P: Participant> AnswersOnTheirWay<'_, P> {
    fn add(&mut self, works: &[Work<P>], answers: &[(usize, Answer<P>)]) {
        let by_id =
            answers.iter().map(|(index, answer)| (works[*index].input.cause, answer.clone()));
        self.new.extend(by_id);
    }
}

impl<P: Participant> Drop for AnswersOnTheirWay<'_, P> {
    fn drop(&mut self) {
        self.unconfirmed.extend(self.new.drain());
    }
}

/// Whether the attempt may have failed because of a wrong assumption: an input was not new or not pending, or a row
/// was not as it was cached. The database reports that only after the reactions. So a reaction may have seen a wrong
/// row, and panicked for that reason: poison counts as well.
fn may_be_wrongly_assumed(error: &BatchError) -> bool {
    use StoreError::{OptimisticInsertFailed, RowsMissing};
    let BatchError::Store(error) = error else { return true };
    matches!(error, OptimisticInsertFailed { .. } | RowsMissing { .. })
}

/// Whether it is certain that nothing was committed: COMMIT reported that a pipelined statement of the transaction had
/// failed on an assumption. Any other error of COMMIT counts as an unknown outcome, which is safe, if slower.
fn is_definite(error: &StoreError) -> bool {
    use StoreError::{OptimisticInsertFailed, PreconditionFailed, RowsMissing};
    matches!(error, OptimisticInsertFailed { .. } | PreconditionFailed | RowsMissing { .. })
}
