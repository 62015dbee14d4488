//! From the outbox to the broker: oldest first, nothing skipped, nothing overtaken.
//!
//! In exclusive mode the relay sends from the outbox queue, and reads the table only after a start, a failure or
//! an overflow. In shared mode it sends only what it has read from the table, while it holds the lease.
//!
//! # Why an aggregate's first occurrences keep their order in shared mode
//!
//! Premises:
//!
//! 1. Rows are in the table from their commit until a relay deletes them, which it does only after the broker
//!    acknowledged all their events.
//! 2. A relay reads the oldest rows by id, sends them over one connection in that order, and waits for all
//!    acknowledgements before it reads again. After an event that the broker did not take it sends nothing later.
//! 3. An aggregate's rows get ascending ids, because their transactions lock its state rows until they commit.
//!
//! Let a relay send an event. Each earlier event of its aggregate was in the table when the relay read it, or it
//! was not:
//!
//! - It was in the table: the relay sent it just before, in the same read (premises 2 and 3), or had the broker's
//!   acknowledgement from an earlier read and has not deleted it yet.
//! - It was not in the table: a relay deleted it, so the broker had it (premise 1).
//!
//! In both cases the broker had the earlier event first. A relay that hangs while another one takes over holds
//! rows that were in the table when it read them. The other relay read them too, and sent them first, so the
//! relay that wakes up can only repeat them. The lease therefore keeps repeats few; order rests neither on the
//! lease nor on a clock. [`super::ownership`] has the argument for exclusive mode, and for the change between both.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bus::{Bus, BusError, Outgoing, Producer};
use clock::Clock;
use event::EventId;
use store::{Db, StoreError};

use super::{
    Outbox, OutboxRow, SentRows,
    cursor::Cursor,
    lease::{self, Lease},
    rows,
};
use crate::{Fatal, Settings, bus_identity, settings::Moment};

/// So many events are enough for one publish.
pub(crate) const BATCH: usize = 1_000;
/// How long the outbox is shared before the relay that sends takes it again. If other replicas are still there,
/// the next batch of each runs twice.
const TAKE_AGAIN: Duration = Duration::from_mins(1);

/// Sends what the outbox holds. See the module.
pub struct Relay {
    db: Db,
    bus: Arc<dyn Bus>,
    producer: Option<Box<dyn Producer>>,
    outbox: Arc<Outbox>,
    /// Whether this step works in exclusive mode.
    sole: bool,
    clock: Arc<dyn Clock>,
    lease: Lease,
    cursor: Cursor<EventId>,
    /// Events that the broker has, of rows that it has only in part.
    sent_in_part: HashSet<EventId>,
    /// When the relay takes the outbox again, by the steady clock.
    take_at: Duration,
    /// The outbox's depth at the last [`Relay::tidy`].
    last_depth: usize,
}

/// What a step of the relay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It sent so many events, and there may be more.
    Some(usize),
    /// There was nothing to send.
    Nothing,
    /// Another replica's relay sends.
    StandingBy,
}

/// Why a relay could not send.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database and the bus do not belong together.
    #[error(transparent)]
    Stranger(Box<Fatal>),
    /// The broker does not answer, or refused a record. Nothing later is sent until it takes this one.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Relay {
    pub(crate) fn new(
        db: Db,
        outbox: Arc<Outbox>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Self {
        Self {
            lease: Lease::new(lease::RELAY, outbox.replica, settings.lease),
            take_at: clock.steady() + TAKE_AGAIN,
            sole: outbox.ownership().is_sole(),
            db,
            bus,
            producer: None,
            outbox,
            clock,
            cursor: Cursor::at_start(),
            sent_in_part: HashSet::new(),
            last_depth: 0,
        }
    }

    /// Sends the next rows and waits for the broker's acknowledgements.
    ///
    /// # Errors
    /// If the database or the broker does not answer. The next step sends the same events again, in the same
    /// order, unless the broker acknowledged them.
    pub async fn step(&mut self) -> Result<Sent, RelayError> {
        self.sole = self.outbox.ownership().is_sole();
        if !self.sole
            && let Some(idle) = self.may_not_send().await?
        {
            return Ok(idle);
        }
        let rows = self.next().await?;
        if rows.is_empty() {
            return Ok(Sent::Nothing);
        }
        let result = self.publish(rows).await;
        if result.is_err() && !crate::inject_bug!(RelaySkips) {
            self.cursor.reread();
        }
        if !self.sole {
            self.delete_acknowledged().await?;
        }
        result.map(Sent::Some)
    }

    /// In shared mode: why this relay does not send now, if so. A relay renews its lease only while events wait,
    /// so idle replicas only read.
    async fn may_not_send(&mut self) -> Result<Option<Sent>, StoreError> {
        let now = Moment::of(&*self.clock);
        let committed_here = self.outbox.take_committed();
        if self.outbox.take_lease_freed() {
            self.lease.freed();
        }
        if self.lease.is_fresh(now.steady) {
            return Ok(None);
        }
        if !self.lease.is_taken(now.steady) {
            let waiting = rows::depth(&self.db, now.wall).await?.depth;
            self.outbox.set_depth(waiting);
            if waiting == 0 {
                return Ok(Some(Sent::Nothing));
            }
            self.outbox.share(&self.db).await?;
            let ours = self.lease.take(&self.db, now.steady).await?;
            self.outbox.set_lease_held(ours);
            if ours {
                return Ok(None);
            }
        }
        if committed_here {
            self.db.notify(lease::CHANNEL, lease::MORE).await?;
        }
        Ok(Some(Sent::StandingBy))
    }

    /// Lets go of outbox and lease, so that another replica need not wait for their end.
    ///
    /// # Errors
    /// If the database does not answer; then the lease ends by itself.
    pub async fn release(&mut self) -> Result<(), StoreError> {
        self.outbox.set_lease_held(false);
        self.outbox.release(&self.db).await?;
        self.lease.release(&self.db).await
    }

    /// The next rows to send.
    async fn next(&mut self) -> Result<Vec<OutboxRow>, StoreError> {
        if self.outbox.take_incomplete() || !self.sole {
            self.cursor.reread();
        }
        if self.cursor.reads_table() { self.read_table().await } else { Ok(self.take_queued()) }
    }

    async fn read_table(&mut self) -> Result<Vec<OutboxRow>, StoreError> {
        // Acknowledged rows must be gone, or the table would list them as unsent.
        self.delete_acknowledged().await?;
        // The table holds all that is queued now. Rows that are queued after this line stay in the queue.
        self.outbox.take_queued(usize::MAX);
        let oldest = rows::oldest(&self.db, BATCH).await?;
        let count = rows::count(&oldest);
        let all = count < BATCH;
        if all && !self.sole {
            // Other replicas add to the table too, and this is all it holds.
            self.outbox.set_depth(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.cursor.was_read(oldest.iter().map(|row| row.id), all);
        Ok(oldest)
    }

    fn take_queued(&mut self) -> Vec<OutboxRow> {
        loop {
            let mut queued = self.outbox.take_queued(BATCH);
            if queued.is_empty() {
                return queued;
            }
            self.cursor.drop_read(&mut queued, |row| row.id);
            if !queued.is_empty() {
                return queued;
            }
        }
    }

    async fn publish(&mut self, rows: Vec<OutboxRow>) -> Result<usize, RelayError> {
        let row_events: SentRows = rows.iter().map(|row| (row.id, row.event_ids())).collect();
        let events = rows.into_iter().flat_map(|row| row.events);
        let events = events.filter(|event| !self.sent_in_part.contains(&event.id));
        let (ids, records): (Vec<EventId>, Vec<Outgoing>) =
            events.map(|event| (event.id, event.into())).unzip();
        if crate::inject_bug!(DeletedUnsent) {
            self.outbox.acknowledge(row_events.clone());
        }
        crate::crash_point!(BeforePublish, &*ids);
        let published = self.producer().await?.publish(&records).await;
        let reports = ids.iter().zip(published.acknowledged);
        let unsent: HashSet<_> = reports.filter(|(_, yes)| !yes).map(|(id, _)| *id).collect();
        crate::crash_point!(
            AfterPublish,
            &*ids.iter().copied().filter(|id| !unsent.contains(id)).collect::<Vec<_>>()
        );
        self.note_sent(row_events, &unsent);
        published.error.map_or(Ok(records.len()), |error| Err(error.into()))
    }

    /// The connection to the bus, which must be the one that this database belongs to.
    async fn producer(&mut self) -> Result<&mut Box<dyn Producer>, RelayError> {
        if self.producer.is_none() {
            let (bus, replica) = (&*self.bus, self.outbox.replica);
            bus_identity::require(&self.db, bus, replica).await.map_err(|fatal| match fatal {
                Fatal::Bus(error) => RelayError::Bus(error),
                // The consumer meets the same bus, and ends the service.
                stranger => RelayError::Stranger(Box::new(stranger)),
            })?;
        }
        match &mut self.producer {
            Some(producer) => Ok(producer),
            none => Ok(none.insert(self.bus.producer().await?)),
        }
    }

    /// Rows that the broker has whole are acknowledged. Of the others, the relay skips the events that it has.
    fn note_sent(&mut self, rows: SentRows, unsent: &HashSet<EventId>) {
        let (in_part, whole): (SentRows, SentRows) =
            rows.into_iter().partition(|(_, ids)| ids.iter().any(|id| unsent.contains(id)));
        let ids = in_part.into_values().flatten();
        self.sent_in_part = ids.filter(|id| !unsent.contains(id)).collect();
        self.outbox.acknowledge(whole);
    }

    /// Deletes acknowledged rows that no batch has come to delete, evicts rows from the row cache whose time is
    /// over, counts the outbox where the count may be wrong, and takes or confirms the outbox.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn tidy(&mut self) -> Result<(), StoreError> {
        self.delete_acknowledged().await?;
        let now = Moment::of(&*self.clock);
        let depth = self.outbox.depth();
        let unchanged = depth == std::mem::replace(&mut self.last_depth, depth);
        // In shared mode other replicas add and send too. In exclusive mode a depth that stays the same may count
        // a commit whose result never came.
        if !self.outbox.is_empty() && (unchanged || !self.sole) {
            self.outbox.set_depth(rows::depth(&self.db, now.wall).await?.depth);
        }
        self.outbox.row_cache.drop_expired(now.wall);
        self.take_or_confirm(now.steady).await
    }

    /// In exclusive mode another replica may have shared the outbox. In shared mode the others may have gone.
    async fn take_or_confirm(&mut self, now: Duration) -> Result<(), StoreError> {
        let sole = self.outbox.ownership().is_sole();
        if sole {
            self.outbox.confirm(&self.db).await?;
        }
        if sole || !self.lease.was_ours() {
            self.take_at = now + TAKE_AGAIN;
        } else if self.take_at <= now {
            self.outbox.take(&self.db).await?;
            self.lease.lost();
        }
        Ok(())
    }

    async fn delete_acknowledged(&mut self) -> Result<(), StoreError> {
        let rows = self.outbox.rows_to_delete();
        if rows.is_empty() {
            return Ok(());
        }
        // Without a lease all of it was sent in exclusive mode, which may have ended just now.
        if let Some(fence) = self.lease.fence().filter(|_| !self.sole) {
            if !rows::delete_fenced(&self.db, &rows, fence).await? {
                self.lease.lost();
            }
        } else {
            let mut tx = self.db.begin().await?;
            rows::delete(&mut tx, &rows).await?;
            tx.commit().await?;
        }
        crate::crash_point!(AfterDelete, &rows);
        self.outbox.set_lease_held(self.sole || self.lease.was_ours());
        // Rows that the fence protected are sent again by the holder of the lease: a repeat, and not a loss.
        self.outbox.rows_deleted(&rows);
        Ok(())
    }
}
