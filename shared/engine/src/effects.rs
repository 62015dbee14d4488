//! What leaves the system: a durable queue of requests to the outside world. Each is repeated
//! under its own idempotency key until it has a definite answer.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use clock::{Clock, Random};
use contracts::{EffectId, OrderId, Trace};
use jiff::Timestamp;
use store::{Column, Condition, Db, Json, Kind, Row, StoreError, Table, Tx, Value};
use tokio::{task::JoinSet, time::timeout};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    Attempt, Effect, Input, Metrics, Origin, Outside, Participant, Settings, What, Work,
    breaker::Breaker,
    claim::{claim, readable},
    effect_queue::EffectQueue,
    settings::{backoff, later},
    telemetry::AttemptSpan,
};

const TABLE: Table = Table {
    name: "effect",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "order_id", kind: Kind::Uuid },
        Column { name: "payload", kind: Kind::Text },
        Column { name: "traceparent", kind: Kind::Text },
        Column { name: "tracestate", kind: Kind::Text },
        Column { name: "attempts", kind: Kind::Int },
        Column { name: "due_at", kind: Kind::Int },
        Column { name: "created_at", kind: Kind::Int },
    ],
};

/// What a failed attempt changes.
const RETRY: Table = Table {
    name: "effect",
    columns: &[
        Column { name: "id", kind: Kind::Uuid },
        Column { name: "attempts", kind: Kind::Int },
        Column { name: "due_at", kind: Kind::Int },
        Column { name: "last_error", kind: Kind::Text },
    ],
};

/// What says whether a claim still lasts.
const CLAIM: Table = Table {
    name: "effect",
    columns: &[Column { name: "id", kind: Kind::Uuid }, Column { name: "due_at", kind: Kind::Int }],
};

/// How many times what runs at once is claimed in one go. What is not begun before its claim ends goes
/// back to the table.
const CLAIMED_AHEAD: usize = 8;

/// The shortest time between two looks at the table that nothing asked for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// An effect that a reaction asked for.
pub(crate) struct Requested<P: Participant> {
    pub(crate) id: EffectId,
    pub(crate) effect: P::Effect,
    pub(crate) trace: Trace,
}

/// An effect that this process may attempt until its claim ends.
#[derive(Debug)]
pub(crate) struct Claimed<P: Participant> {
    pub(crate) id: EffectId,
    pub(crate) order: OrderId,
    pub(crate) effect: P::Effect,
    trace: Trace,
    attempts: i64,
    until: Timestamp,
}

/// An attempt without an answer, and what is to be written of it.
#[derive(Debug, Clone)]
struct Failed {
    id: EffectId,
    attempts: i64,
    due_at: Timestamp,
    why: String,
    /// The end of the claim that it was made under, by which that is known.
    until: Timestamp,
}

/// Inserts what the batch asks for: as many as there is `room` claimed by this process, the others
/// for whoever comes first. One that is there already is the same request, and stays with whoever
/// has it; [`StoreError::Taken`] if all are `taken_for_new`.
pub(crate) async fn insert<P: Participant>(
    tx: &mut Tx,
    (requested, taken_for_new): (Vec<Requested<P>>, bool),
    room: usize,
    now: Timestamp,
    settings: &Settings,
) -> Result<Vec<Claimed<P>>, StoreError> {
    let until = later(now, settings.claim);
    let (mut rows, mut claimed) = (Vec::new(), Vec::new());
    for (index, Requested { id, effect, trace }) in requested.into_iter().enumerate() {
        let order = effect.order_id();
        let due_at = if index < room { until } else { now };
        rows.push(vec![
            id.into(),
            order.into(),
            Value::json(&effect),
            trace.traceparent.clone().into(),
            trace.tracestate.clone().into(),
            Value::Int(0),
            due_at.into(),
            now.into(),
        ]);
        if index < room {
            claimed.push(Claimed { id, order, effect, trace, attempts: 0, until });
        }
    }
    if taken_for_new {
        tx.insert_untaken(&TABLE, rows, Condition::default()).await?;
        return Ok(claimed);
    }
    let mut new = HashSet::new();
    for row in tx.insert_new(&TABLE, rows).await? {
        new.insert(row.get::<EffectId>(0)?);
    }
    claimed.retain(|claimed: &Claimed<P>| new.remove(&claimed.id));
    Ok(claimed)
}

/// Deletes the rows of effects that are answered now; answers the ids of those that were there.
/// [`StoreError::Vanished`] if one is not and all are `taken_for_pending`.
pub(crate) async fn take(
    tx: &mut Tx,
    ids: BTreeSet<Uuid>,
    taken_for_pending: bool,
) -> Result<HashSet<Uuid>, StoreError> {
    let keys = ids.iter().map(|id| (*id).into()).collect();
    if taken_for_pending {
        tx.discard_all(TABLE.name, "id", Kind::Uuid, keys).await?;
        return Ok(ids.into_iter().collect());
    }
    let rows = tx.delete(TABLE.name, "id", Kind::Uuid, keys).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Makes due at once what an earlier process of an exclusive engine had claimed: nobody attempts it
/// any more.
pub(crate) async fn release_orphans(db: &Db, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.execute("update effect set due_at = $1 where due_at > $1", vec![now.into()]).await?;
    tx.commit().await
}

/// Attempts effects, a bounded number at once.
pub struct EffectRunner<P: Participant> {
    db: Db,
    outside: Arc<dyn Outside<P>>,
    queue: Arc<EffectQueue<P>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: Settings,
    metrics: Arc<Metrics>,
    breaker: Breaker,
    /// When the table is looked at although nothing says that there is something in it.
    next_poll: Timestamp,
    running: JoinSet<(Claimed<P>, Attempt<P::Outcome>)>,
    /// Failed attempts whose rows are to be written.
    failed: Vec<Failed>,
    /// Definite answers to hand over.
    answered: Vec<Work<P>>,
}

impl<P: Participant> EffectRunner<P> {
    pub(crate) fn new(
        (db, queue): (Db, Arc<EffectQueue<P>>),
        outside: Arc<dyn Outside<P>>,
        (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            db,
            outside,
            queue,
            clock,
            random,
            settings,
            metrics,
            breaker: Breaker::default(),
            next_poll: Timestamp::MIN,
            running: JoinSet::new(),
            failed: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// Attempts what is due and waits until every attempt has ended; answers what came of them.
    ///
    /// # Errors
    /// If the database is away; nothing is lost, what was asked stays in it.
    pub async fn turn(&mut self) -> Result<Vec<Work<P>>, StoreError> {
        self.start().await?;
        while !self.running.is_empty() {
            self.join().await;
        }
        self.write_down().await?;
        Ok(self.answered())
    }

    /// Attempts that are under way.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// Starts as many attempts as there is room for: what the engine handed over, then what is due
    /// in the table.
    pub(crate) async fn start(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let free = self.settings.effects_concurrency.saturating_sub(self.running.len());
        let admitted = self.breaker.admit(free, now);
        let mut claimed = Vec::new();
        while claimed.len() < admitted {
            let Some(next) = self.queue.pop() else { break };
            // One whose claim ends before an attempt would is left to the table.
            let ends = later(now, self.settings.effects_timeout);
            if ends < next.until {
                claimed.push(next);
            }
        }
        let room = admitted - claimed.len();
        for next in claimed {
            self.spawn(next);
        }
        let time = self.next_poll <= now;
        if time {
            self.next_poll = later(now, self.settings.poll);
        }
        if room > 0 && (self.queue.overflow.swap(false, Ordering::AcqRel) || time) {
            let limit = room.max(self.settings.effects_concurrency * CLAIMED_AHEAD);
            let mut due = self.due(now, limit).await?;
            self.queue.overflow.fetch_or(due.len() == limit, Ordering::AcqRel);
            let ahead = due.split_off(room.min(due.len()));
            self.queue.extend(ahead);
            for row in due {
                self.spawn(row);
            }
        }
        Ok(())
    }

    /// How long there is nothing to start unless somebody says so.
    pub(crate) fn pause(&self) -> Duration {
        let until = self.next_poll.duration_since(self.clock.now());
        until.try_into().unwrap_or(Duration::ZERO).clamp(SHORTEST_PAUSE, self.settings.poll)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Claimed<P>>, StoreError> {
        let until = later(now, self.settings.claim);
        let columns = "id, order_id, payload, traceparent, tracestate, attempts";
        let rows = claim(&self.db, TABLE.name, columns, now, until, limit).await?;
        Ok(rows.iter().filter_map(|row| readable(read(row, until), "an effect")).collect())
    }

    fn spawn(&mut self, mut claimed: Claimed<P>) {
        self.breaker.started();
        let (outside, limit) = (Arc::clone(&self.outside), self.settings.effects_timeout);
        let (clock, metrics) = (Arc::clone(&self.clock), Arc::clone(&self.metrics));
        self.running.spawn(async move {
            let started = clock.now();
            let span = AttemptSpan::open(&claimed.trace, &claimed.effect, claimed.attempts + 1);
            let mut key = claimed.id;
            if crate::mistake!(KeyPerAttempt) {
                let nth = u32::try_from(claimed.attempts).unwrap_or(0);
                key = contracts::derived(key.into(), key.into(), "attempt", nth).into();
            }
            crate::crash_point!(BeforeAttempt, &claimed);
            let attempt = outside.attempt(key, claimed.effect.clone(), span.trace().clone());
            let attempt = timeout(limit, attempt.instrument(span.span()))
                .await
                .unwrap_or_else(|_| Attempt::NoAnswer(format!("no answer within {limit:?}")));
            crate::crash_point!(AfterAttempt, &claimed);
            let took = clock.now().duration_since(started).try_into().unwrap_or_default();
            let answered = matches!(attempt, Attempt::Answered(_));
            metrics.attempted(claimed.effect.kind(), answered, took);
            // What follows from the answer follows from this attempt.
            claimed.trace = span.end(&attempt);
            (claimed, attempt)
        });
    }

    /// Waits for an attempt to end, then takes all that have. Cancel safe: what has ended is kept
    /// until it is settled.
    pub(crate) async fn join(&mut self) {
        if let Some(first) = self.running.join_next().await {
            self.ended(first);
        }
        while let Some(next) = self.running.try_join_next() {
            self.ended(next);
        }
    }

    /// Hands over the outcomes of the attempts that were answered.
    pub(crate) fn answered(&mut self) -> Vec<Work<P>> {
        std::mem::take(&mut self.answered)
    }

    /// Writes down the attempts that were not answered. After an error it keeps them.
    pub(crate) async fn write_down(&mut self) -> Result<(), StoreError> {
        if self.failed.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let ids = self.failed.iter().map(|failed| failed.id.into()).collect();
        let mut claims = HashMap::new();
        for row in tx.select_locked(&CLAIM, ids).await? {
            claims.insert(row.get::<EffectId>(0)?, row.get::<i64>(1)?);
        }
        // A row that is gone was answered to another replica, and one whose claim is another's is
        // being attempted: neither is ours to put off.
        let ours = |it: &&Failed| claims.get(&it.id) == Some(&it.until.as_microsecond());
        let ours = self.failed.iter().filter(ours);
        let rows = ours.map(|Failed { id, attempts, due_at, why, .. }| {
            vec![(*id).into(), (*attempts).into(), (*due_at).into(), why.clone().into()]
        });
        tx.update(&RETRY, rows.collect()).await?;
        tx.commit().await?;
        self.failed.clear();
        Ok(())
    }

    fn ended(&mut self, ended: Result<(Claimed<P>, Attempt<P::Outcome>), tokio::task::JoinError>) {
        match ended {
            Ok((claimed, Attempt::Answered(outcome))) => {
                if self.breaker.succeeded() {
                    tracing::info!("the outside world answers again");
                }
                self.answered.push(self.outcome(claimed, outcome));
            }
            Ok((claimed, Attempt::NoAnswer(why) | Attempt::Refused(why))) => {
                self.no_answer(&claimed, &why);
            }
            // Its claim ends by itself, and then it is attempted again.
            Err(error) => {
                tracing::error!(%error, "an effect's attempt panicked");
                self.breaker.failed(self.clock.now());
            }
        }
    }

    fn outcome(&self, claimed: Claimed<P>, outcome: P::Outcome) -> Work<P> {
        let what = What::Outcome(claimed.order, outcome);
        let cause = claimed.id.into();
        let input = Input { cause, at: self.clock.now(), trace: claimed.trace, what };
        Work { input, origin: Origin::Outcome }
    }

    fn no_answer(&mut self, claimed: &Claimed<P>, why: &str) {
        // A stranger's text: PostgreSQL takes no NUL, a log no line breaks.
        let why = why.replace(char::is_control, " ");
        let now = self.clock.now();
        let attempts = claimed.attempts + 1;
        let pause =
            backoff(&self.settings, u32::try_from(attempts).unwrap_or(u32::MAX), &*self.random);
        let (order_id, effect) = (claimed.order, claimed.effect.name());
        let trace_id = claimed.trace.trace_id();
        tracing::warn!(%order_id, trace_id, effect, attempts, ?pause, why, "no answer; will ask again");
        if self.breaker.failed(now) {
            tracing::warn!("the outside world does not answer: asking less often");
        }
        let due_at = later(now, pause);
        self.next_poll = self.next_poll.min(due_at);
        self.failed.push(Failed { id: claimed.id, attempts, due_at, why, until: claimed.until });
    }
}

fn read<P: Participant>(row: &Row, until: Timestamp) -> Result<Claimed<P>, StoreError> {
    let Json(effect) = row.get(2)?;
    Ok(Claimed {
        id: row.get(0)?,
        order: row.get(1)?,
        effect,
        trace: Trace::stored(row.get(3)?, row.get(4)?),
        attempts: row.get(5)?,
        until,
    })
}
