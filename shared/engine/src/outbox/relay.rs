//! The relay: sends the events of the outbox to the broker, oldest first, and skips none.
//!
//! One loop of the runtime calls [`Relay::step`], again at once while there are events, and otherwise when a batch
//! commits or a second has passed. Once a second it also calls [`Relay::tidy`], and at the end of a drain
//! [`Relay::release`].
//!
//! In exclusive mode the relay sends from the outbox queue. It reads the table only while the cursor says so: after a
//! start, after a failed send, and while the queue is incomplete (an overflow, a change of ownership, a commit in
//! doubt), until a read has shown all that the table holds. Batches delete most of the rows that the broker has
//! acknowledged, and the relay deletes the others. In shared mode the relay sends only what it has read
//! from the table, while it holds the lease, and deletes it itself.
//!
//! The producer reports each record: acknowledged or not. With the first record that is not acknowledged it also
//! reports an error, and the broker stores no later record of the same publish. A step runs to its end: a caller that
//! dropped it half-way would lose rows that it took from the queue.
//!
//! # Why an aggregate's first occurrences keep their order in shared mode
//!
//! The first occurrence of an event is its first record at the broker. Later ones are repeats, which the consumers'
//! inboxes drop. Premises:
//!
//! 1. A row is in the table from its commit until a relay or a batch deletes it. That happens only after the broker
//!    acknowledged all events of the row.
//! 2. A relay reads the oldest rows by their number, sends them over one connection in that order, and waits for all
//!    reports before it reads again.
//! 3. An aggregate's rows get ascending numbers: a transaction locks the aggregate's state row first, draws the number
//!    afterwards, and keeps the lock until it commits.
//!
//! Let a relay send an event E. For each earlier event of the same aggregate there are two cases:
//!
//! - Its row was in the table when the relay read E. Then the relay sent it before E: in the same publish, or, if the
//!   broker had acknowledged only a part of its row, in an earlier one.
//! - Its row was not in the table. Then it had been deleted, so the broker had the event (premise 1).
//!
//! In both cases the broker had the earlier event first. A relay that hangs between reading and sending, while another
//! one takes over, still sends its rows in this order. Some of them are repeats then, and none is ahead of its
//! predecessor. So the lease keeps repeats few, and order rests neither on the lease nor on a clock.
//! [`super::ownership`] has the argument for exclusive mode, and for the change between both.

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
/// How long the outbox is shared before the relay that holds the lease takes it, in case the other replicas have
/// gone. If they have not, the next batch of each replica fails its premise and runs again.
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
    /// Events that the broker has acknowledged, of rows whose other events it has not. They are not sent again.
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

    /// In shared mode: the reason why this relay does not send now, or `None` if it may send. A relay takes and renews
    /// its lease only while events wait. While none wait, replicas write nothing.
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

    /// Releases the outbox and the lease, so that another replica may send at once.
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
        // A record without a report counts as unsent.
        let reports = published.acknowledged.into_iter().chain(std::iter::repeat(false));
        let unsent = ids.iter().zip(reports).filter(|(_, acknowledged)| !acknowledged);
        let unsent: HashSet<EventId> = unsent.map(|(id, _)| *id).collect();
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
                // The consumer finds the same, and ends the service with it.
                stranger => RelayError::Stranger(Box::new(stranger)),
            })?;
        }
        match &mut self.producer {
            Some(producer) => Ok(producer),
            none => Ok(none.insert(self.bus.producer().await?)),
        }
    }

    /// Notes the rows that the broker has acknowledged whole, and of the other rows the acknowledged events.
    fn note_sent(&mut self, rows: SentRows, unsent: &HashSet<EventId>) {
        let (in_part, whole): (SentRows, SentRows) =
            rows.into_iter().partition(|(_, ids)| ids.iter().any(|id| unsent.contains(id)));
        let ids = in_part.into_values().flatten();
        self.sent_in_part = ids.filter(|id| !unsent.contains(id)).collect();
        self.outbox.acknowledge(whole);
    }

    /// Deletes acknowledged rows that no batch has deleted, drops expired rows from the row cache, counts the outbox
    /// where the count may be wrong, and takes or confirms the outbox.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn tidy(&mut self) -> Result<(), StoreError> {
        self.delete_acknowledged().await?;
        let now = Moment::of(&*self.clock);
        let depth = self.outbox.depth();
        let unchanged = depth == std::mem::replace(&mut self.last_depth, depth);
        // In shared mode other replicas add and send too. In exclusive mode a count that does not move may lack a
        // commit whose result was lost.
        if !self.outbox.is_empty() && (unchanged || !self.sole) {
            self.outbox.set_depth(rows::depth(&self.db, now.wall).await?.depth);
        }
        self.outbox.row_cache.drop_expired(now.steady);
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
        // The rows may go in any case, because the broker has them. The fence tells this relay that it has lost the
        // lease. Without a lease there is no fence: the rows were sent in exclusive mode, which may have just ended.
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
        // Rows that the fence protected stay in the table until they are read, sent again and deleted.
        self.outbox.rows_deleted(&rows);
        Ok(())
    }
}
