//! From the outbox to the broker: oldest first, nothing skipped, nothing overtaken.
//!
//! Why the first occurrences of an aggregate's events lie in the order in which they were emitted, also
//! on a shared outbox: a relay sends what it has read from the table, by id, and waits for all of it
//! before it reads again. If it sends an event, each earlier one of that aggregate was either in the
//! table, and went out before it over the same connection without a gap, or before that and the
//! broker had acknowledged it to this relay; or was not, and then the broker had acknowledged it to
//! whoever deleted it. A relay that hung while another took over can only repeat: whatever it had
//! read was still in the table then, and the other one read it first. So the lease is there to keep
//! repeats few. Order does not rest on it, nor on any clock.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bus::{Bus, BusError, Outgoing, Producer};
use clock::Clock;
use event::EventId;
use store::{Db, StoreError};

use crate::{
    Fatal, Settings, acquainted,
    exclusive::Exclusive,
    handoff::{Handoff, Rows},
    idempotency,
    lease::{self, Lease},
    outbox::{self, Bundle},
    settings::Moment,
};

/// So many events are enough for one publish.
pub(crate) const BATCH: usize = 1_000;
/// How often old idempotency keys are deleted.
const PRUNE: Duration = Duration::from_hours(1);
/// How long an outbox is shared before whoever sends takes it again. If others are still there, one of
/// their batches has to be turned twice.
const TAKE_AGAIN: Duration = Duration::from_mins(1);

/// Sends what the outbox holds.
///
/// While its replica has the database to itself it sends from memory what the engine has just
/// committed, and reads the table only after a start, a failure or an overflow. On a shared one it
/// sends only what it read from the table, while it holds the lease.
pub struct Relay {
    db: Db,
    bus: Arc<dyn Bus>,
    producer: Option<Box<dyn Producer>>,
    exclusive: Arc<Exclusive>,
    /// Whether this turn has the database to itself.
    alone: bool,
    handoff: Arc<Handoff>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    lease: Lease,
    /// The table holds more than was read.
    reading: bool,
    /// The rows that the last look at the table found, until memory brings something later.
    read: HashSet<EventId>,
    /// Events that the broker has, of rows of which it does not have all.
    ahead: HashSet<EventId>,
    /// When answers past their idempotency window are deleted next. Like all pauses of this process, measured
    /// by the steady clock.
    prune_at: Duration,
    /// When to find out whether the others have gone.
    take_at: Duration,
    /// What memory counted at the last tidying.
    counted: usize,
}

/// What a turn of the relay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It sent so many, and there may be more.
    Some(usize),
    /// There was nothing to send.
    Nothing,
    /// Another replica's relay is at work.
    StandingBy,
}

/// Why a relay could not send.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The database is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database and the bus do not belong together.
    #[error(transparent)]
    Stranger(Box<Fatal>),
    /// The broker is away or refused a record; the line stands still until it takes it.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Relay {
    pub(crate) fn new(
        (db, handoff): (Db, Arc<Handoff>),
        exclusive: Arc<Exclusive>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        let take_at = clock.steady() + TAKE_AGAIN;
        let lease = Lease::new(lease::RELAY, exclusive.replica(), settings.lease);
        Self {
            db,
            bus,
            producer: None,
            alone: exclusive.is_alone(),
            exclusive,
            handoff,
            clock,
            settings,
            lease,
            reading: true,
            read: HashSet::new(),
            ahead: HashSet::new(),
            prune_at: Duration::ZERO,
            take_at,
            counted: 0,
        }
    }

    /// Sends one batch and waits for the broker's acknowledgements.
    ///
    /// # Errors
    /// If database or broker is away: what was not acknowledged is sent again by the next turn,
    /// in the same order.
    pub async fn turn(&mut self) -> Result<Sent, RelayError> {
        self.alone = self.exclusive.is_alone();
        if !self.alone
            && let Some(idle) = self.not_to_send().await?
        {
            return Ok(idle);
        }
        let ready = self.next().await?;
        if ready.is_empty() {
            return Ok(Sent::Nothing);
        }
        let result = self.publish(ready).await;
        if result.is_err() && !crate::inject_bug!(RelaySkips) {
            self.reading = true;
        }
        if !self.alone {
            self.delete_acknowledged().await?;
        }
        result.map(Sent::Some)
    }

    /// Why this relay of a shared outbox has nothing to do now, if so. While nothing waits, nobody
    /// renews the lease: idle replicas only look.
    async fn not_to_send(&mut self) -> Result<Option<Sent>, StoreError> {
        let now = Moment::of(&*self.clock);
        let ours_waits = self.handoff.take_fresh();
        if self.handoff.take_freed() {
            self.lease.freed();
        }
        if self.lease.is_fresh(now.steady) {
            return Ok(None);
        }
        if !self.lease.is_taken(now.steady) {
            let waiting = outbox::depth(&self.db, now.wall).await?.depth;
            self.handoff.set_depth(waiting);
            if waiting == 0 {
                return Ok(Some(Sent::Nothing));
            }
            self.exclusive.share(&self.db).await?;
            let ours = self.lease.take(&self.db, now.steady).await?;
            self.handoff.set_held(ours);
            if ours {
                return Ok(None);
            }
        }
        if ours_waits {
            self.db.notify(lease::CHANNEL, lease::MORE).await?;
        }
        Ok(Some(Sent::StandingBy))
    }

    /// Lets go of the lease, so that another replica need not wait for its end.
    ///
    /// # Errors
    /// If the database is away; then it ends by itself.
    pub async fn release(&mut self) -> Result<(), StoreError> {
        self.handoff.set_held(false);
        self.exclusive.release(&self.db).await?;
        self.lease.release(&self.db).await
    }

    async fn next(&mut self) -> Result<Vec<Bundle>, StoreError> {
        if self.handoff.take_reread() || !self.alone {
            self.reading = true;
        }
        if !self.reading {
            return Ok(self.take_from_memory());
        }
        // What was acknowledged must be gone before the table says what is left to send.
        self.delete_acknowledged().await?;
        // What lies in memory now lies in the table too; what comes later stays in memory.
        self.handoff.take(usize::MAX);
        let ready = outbox::oldest(&self.db, BATCH).await?;
        let count = outbox::count(&ready);
        self.reading = count >= BATCH;
        if !self.reading && !self.alone {
            // Others add to it too, and this is all there is.
            self.handoff.set_depth(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.read = ready.iter().map(|bundle| bundle.row).collect();
        Ok(ready)
    }

    /// What was committed since the table was read. The engine hands over just after its commit,
    /// so the first of it may have been in the table already.
    fn take_from_memory(&mut self) -> Vec<Bundle> {
        loop {
            let mut taken = self.handoff.take(BATCH);
            if taken.is_empty() {
                return taken;
            }
            taken.retain(|bundle| !self.read.contains(&bundle.row));
            if !taken.is_empty() {
                self.read.clear();
                return taken;
            }
        }
    }

    async fn publish(&mut self, ready: Vec<Bundle>) -> Result<usize, RelayError> {
        let producer = match &mut self.producer {
            Some(producer) => producer,
            none => {
                // Nothing goes to a bus that is another's: the intake ends the service then.
                let met = acquainted::require(&self.db, &*self.bus, self.exclusive.replica()).await;
                met.map_err(|fatal| match fatal {
                    Fatal::Bus(error) => RelayError::Bus(error),
                    stranger => RelayError::Stranger(Box::new(stranger)),
                })?;
                none.insert(self.bus.producer().await?)
            }
        };
        let rows: Rows = ready.iter().map(|bundle| (bundle.row, bundle.ids())).collect();
        let events = ready.into_iter().flat_map(|bundle| bundle.events);
        let events = events.filter(|event| !self.ahead.contains(&event.id));
        let (ids, records): (Vec<EventId>, Vec<Outgoing>) =
            events.map(|event| (event.id, event.into())).unzip();
        if crate::inject_bug!(DeletedUnsent) {
            self.handoff.acknowledge(rows.clone());
        }
        crate::crash_point!(BeforePublish, &*ids);
        let published = producer.publish(&records).await;
        let reports = ids.iter().zip(published.acknowledged);
        let unsent: HashSet<_> = reports.filter(|(_, yes)| !yes).map(|(id, _)| *id).collect();
        crate::crash_point!(
            AfterPublish,
            &*ids.iter().copied().filter(|id| !unsent.contains(id)).collect::<Vec<_>>()
        );
        let (partly, whole): (Rows, Rows) =
            rows.into_iter().partition(|(_, ids)| ids.iter().any(|id| unsent.contains(id)));
        let theirs = partly.into_values().flatten();
        self.ahead = theirs.filter(|id| !unsent.contains(id)).collect();
        self.handoff.acknowledge(whole);
        published.error.map_or(Ok(records.len()), |error| Err(error.into()))
    }

    /// Deletes what no longer serves: rows that the engine has had no batch to delete with, and
    /// answers past their idempotency window; lets go of kept rows whose time is over. Counts what
    /// is left where memory may be wrong: other replicas add and send too, and what is alone and
    /// stands still at something was not told of a commit.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn tidy(&mut self) -> Result<(), StoreError> {
        self.delete_acknowledged().await?;
        let now = Moment::of(&*self.clock);
        let counted = self.handoff.depth();
        let stands = counted == std::mem::replace(&mut self.counted, counted);
        if !self.handoff.is_settled() && (stands || !self.alone) {
            self.handoff.set_depth(outbox::depth(&self.db, now.wall).await?.depth);
        }
        self.exclusive.kept().tidy(now.wall);
        self.take_again(now.steady).await?;
        if now.steady < self.prune_at {
            return Ok(());
        }
        self.prune_at = now.steady + PRUNE;
        let mut tx = self.db.begin().await?;
        idempotency::prune(&mut tx, now.wall, &self.settings).await?;
        tx.commit().await
    }

    /// If the others have gone meanwhile, the outbox need not be shared any more; if another has come,
    /// it must be.
    async fn take_again(&mut self, now: Duration) -> Result<(), StoreError> {
        let alone = self.exclusive.is_alone();
        if alone {
            self.exclusive.confirm(&self.db).await?;
        }
        if alone || !self.lease.was_ours() {
            self.take_at = now + TAKE_AGAIN;
        } else if self.take_at <= now {
            self.exclusive.take(&self.db).await?;
            self.lease.lost();
            self.handoff.reread();
        }
        Ok(())
    }

    async fn delete_acknowledged(&mut self) -> Result<(), StoreError> {
        let rows = self.handoff.acknowledged();
        if rows.is_empty() {
            return Ok(());
        }
        // Without a lease all of it was sent while we were alone: who only just stopped being that would
        // leave it to be sent again.
        if let Some(fence) = self.lease.fence().filter(|_| !self.alone) {
            if !outbox::delete_fenced(&self.db, &rows, fence).await? {
                self.lease.lost();
            }
        } else {
            let mut tx = self.db.begin().await?;
            outbox::delete(&mut tx, &rows).await?;
            tx.commit().await?;
        }
        crate::crash_point!(AfterDelete, &rows);
        self.handoff.set_held(self.alone || self.lease.was_ours());
        // If not deleted: whoever holds the lease now sends them again, a repeat and not a loss.
        self.handoff.forget(&rows);
        Ok(())
    }
}
