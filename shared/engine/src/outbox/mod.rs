//! Events on their way to the broker: the table they are committed to, the queue in memory, and the relay that
//! sends them.
//!
//! | file | what it does |
//! |---|---|
//! | [`rows`] | the table `outbox`: a row holds the events of a batch |
//! | [`queue`] | the outbox queue: committed rows in memory that wait for the relay |
//! | [`ownership`] | which replica may send from its queue, as one state machine, with the proof that order holds |
//! | [`cursor`] | whether the relay reads the queue or the table next |
//! | [`relay`] | the loop's step: read, publish, delete |
//! | [`lease`] | which relay sends in shared mode, and the fencing token of its deletes |
//!
//! The engine and its relay share an [`Outbox`]. The engine adds the rows of each commit; the relay takes them,
//! and hands back the rows that the broker has acknowledged, which the next batch deletes.

mod cursor;
pub(crate) mod lease;
pub(crate) mod ownership;
#[cfg(test)]
mod ownership_model;
pub(crate) mod queue;
pub(crate) mod relay;
pub(crate) mod rows;
mod sent;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use store::RowCache;
use tokio::sync::Notify;
use uuid::Uuid;

use ownership::OwnedQueue;
pub(crate) use ownership::{Change, Ownership};
pub use relay::{Relay, RelayError, Sent};
pub(crate) use rows::OutboxRow;
pub(crate) use sent::SentRows;
use sent::SentTracker;

use crate::{
    Settings,
    outbox::lease::{FREE, MORE},
};

/// What an engine, its relay and its commands share of one outbox.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// This process.
    pub(crate) replica: Uuid,
    /// The database is a file that no second process can open: this replica is its sole one for ever.
    pub(crate) always_sole: bool,
    /// How long a lease with an end lasts.
    lease_length: Duration,
    /// The state rows as this process left them. It is cleared whenever another replica may have changed them.
    pub(crate) row_cache: Arc<RowCache>,
    state: Mutex<State>,
    /// Events in rows of which the broker has not acknowledged all.
    depth: AtomicI64,
    /// Wakes the relay.
    pub(crate) wake: Notify,
}

#[derive(Debug)]
struct State {
    owned: OwnedQueue<OutboxRow>,
    sent: SentTracker,
    /// A batch committed here, and the relay has not yet told the holder of the lease.
    committed: bool,
    /// This replica's relay held the lease when it last looked.
    lease_held: bool,
    /// Another replica released the lease.
    lease_freed: bool,
}

impl Outbox {
    pub(crate) fn new(replica: Uuid, settings: &Settings) -> Self {
        let always_sole = settings.exclusive;
        let ownership = if always_sole { Ownership::Sole } else { Ownership::Shared };
        Self {
            replica,
            always_sole,
            lease_length: settings.lease,
            row_cache: Arc::default(),
            state: Mutex::new(State {
                owned: OwnedQueue::new(ownership),
                sent: SentTracker::default(),
                committed: false,
                lease_held: false,
                lease_freed: false,
            }),
            depth: AtomicI64::new(0),
            wake: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each method leaves the state whole before it can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this replica knew about the outbox when it last looked.
    pub(crate) fn ownership(&self) -> Ownership {
        self.state().owned.ownership()
    }

    /// The state machine moves on. Whatever happened, the row cache may be wrong now.
    pub(crate) fn change(&self, change: Change) {
        self.row_cache.clear();
        let mut state = self.state();
        state.owned.change(change);
        if change.leaves_queue_incomplete() {
            self.announce(state);
        }
    }

    /// A batch committed `rows` in a transaction that relied on `ownership`, and deleted the `deleted` rows.
    pub(crate) fn committed(&self, rows: Vec<OutboxRow>, ownership: Ownership, deleted: &SentRows) {
        let events = rows::count(&rows);
        self.depth.fetch_add(signed(events), Ordering::AcqRel);
        let mut state = self.state();
        state.sent.deleted(deleted);
        let reread = state.owned.committed(rows, ownership);
        if events > 0 || reread {
            self.announce(state);
        }
    }

    /// Has the relay look, and tell the holder of the lease.
    fn announce(&self, mut state: MutexGuard<'_, State>) {
        state.committed = true;
        drop(state);
        self.wake.notify_one();
    }

    /// The next rows of the queue, as many as hold `limit` events, or all.
    pub(crate) fn take_queued(&self, limit: usize) -> Vec<OutboxRow> {
        self.state().owned.take(limit)
    }

    /// Whether the table holds rows that the queue lacks. Asking clears the mark, and the queue fills again.
    pub(crate) fn take_incomplete(&self) -> bool {
        self.state().owned.take_incomplete()
    }

    /// The broker has all events of these rows.
    pub(crate) fn acknowledge(&self, rows: SentRows) {
        let events = self.state().sent.acknowledge(rows);
        self.depth.fetch_sub(signed(events), Ordering::AcqRel);
    }

    /// The acknowledged rows, which the caller deletes now.
    pub(crate) fn rows_to_delete(&self) -> SentRows {
        self.state().sent.take_to_delete()
    }

    /// Their rows are gone from the table.
    pub(crate) fn rows_deleted(&self, rows: &SentRows) {
        self.state().sent.deleted(rows);
    }

    /// How many acknowledged events are in the table for sure.
    pub(crate) fn acknowledged_events(&self) -> usize {
        self.state().sent.acknowledged_events()
    }

    /// Events that wait for the broker.
    pub(crate) fn depth(&self) -> usize {
        usize::try_from(self.depth.load(Ordering::Acquire)).unwrap_or(0)
    }

    /// Whether the count says that nothing waits. A count below zero is wrong, and says no too.
    pub(crate) fn is_empty(&self) -> bool {
        self.depth.load(Ordering::Acquire) == 0
    }

    pub(crate) fn set_depth(&self, depth: i64) {
        self.depth.store(depth, Ordering::Release);
    }

    /// Whether a batch committed here since this was last asked.
    pub(crate) fn take_committed(&self) -> bool {
        std::mem::take(&mut self.state().committed)
    }

    /// Whether another replica released the lease since this was last asked.
    pub(crate) fn take_lease_freed(&self) -> bool {
        std::mem::take(&mut self.state().lease_freed)
    }

    pub(crate) fn set_lease_held(&self, held: bool) {
        self.state().lease_held = held;
    }

    /// Another replica sent this notification over PostgreSQL.
    pub(crate) fn hear(&self, said: &str) {
        let mut state = self.state();
        match said {
            // Also in exclusive mode, which another replica may just have ended: its rows are in the table only.
            MORE if state.lease_held => {
                state.owned.mark_incomplete();
                self.announce(state);
            }
            FREE => {
                state.lease_freed = true;
                drop(state);
                self.wake.notify_one();
            }
            _ => {}
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
