//! Which replica may send straight from its outbox queue.
//!
//! A replica that starts *takes* the outbox: it becomes the holder of the relay's lease, without an end, and
//! works in **exclusive mode**. Each of its transactions then relies on that lease. A replica that finds the
//! outbox taken by another one *shares* it: the lease gets an end, and both work in **shared mode**, in which
//! one relay at a time sends, and only what it has read from the table.
//!
//! [`Ownership`] is what a replica knows about this, and [`Ownership::after`] is the whole state machine.
//! [`Outbox::take`], [`Outbox::share`], [`Outbox::look`], [`Outbox::confirm`] and [`Outbox::release`] are the
//! transactions that change the lease, or look at it. When the database fails, they leave the state as it was, and
//! the next call tries again. When only the result of a COMMIT is lost, the state is out of date. A batch whose premise
//! fails for that reason runs again after [`Outbox::look`].
//!
//! # Why an aggregate's first occurrences reach the broker in the order of their commits
//!
//! Premises, each kept by the code that is named:
//!
//! 1. A batch's transaction holds [`LOCK`] in shared form until it ends ([`Outbox::begin`]). A transaction that
//!    takes or shares the outbox holds it alone. So no batch is under way while the outbox changes hands. (A
//!    replica releases the outbox without the lock, once its engine has applied its last batch.)
//! 2. A batch's transaction fails unless the database agrees with the ownership that it relies on
//!    ([`Outbox::premise`]): in exclusive mode the lease without an end is its own, in shared mode there is none. It
//!    asks in a statement after the one that gets the lock, so that it sees the latest lease. A lease without an
//!    end changes only under the lock ([`super::lease::Lease::take`] leaves it alone).
//! 3. A commit adds its rows to the queue only if its transaction relied on exclusive mode, and no commit is in
//!    doubt ([`OwnedQueue::committed`]). So the queue has the order of the commits.
//! 4. The queue is emptied and marked incomplete by each change of ownership
//!    ([`Change::leaves_queue_incomplete`]) and by the commit that ends a doubt ([`OwnedQueue::committed`]). After
//!    that, and after a failed send, the relay reads the table before it sends from the queue ([`super::cursor`]).
//! 5. A relay sends the table's rows oldest first, and waits for the broker before it reads again
//!    ([`super::relay`]).
//!
//! Conclusions:
//!
//! 1. While a replica has the outbox, no other replica commits a batch (premises 1 and 2).
//! 2. All rows that others committed before a replica took the outbox were in the table when its relay first read
//!    the table after that, or the broker had their events (premises 1, 4 and 5).
//! 3. Once another replica has taken or shared the outbox, no transaction that begins later adds to the former
//!    owner's queue: it fails, or relies on shared mode (premises 1, 2 and 3).
//! 4. Each predecessor of a queued row was sent before, or is ahead of it in the queue (conclusions 1 and 2,
//!    premises 3 and 4). So the owner sends an aggregate's events in the order of their commits, and a former owner
//!    may still send the rows of its queue.
//! 5. A replica that hangs and wakes up sends rows of its queue late. By 4 it repeats events then, and sends none
//!    ahead of its predecessor.
//!
//! `ownership_model.rs` plays every interleaving of two replicas that start, share, commit, hang, die and stop,
//! with this state machine, and asserts the conclusions in each state. It also asserts that a wrong target of
//! each transition is found.

use store::{Condition, Db, StoreError, Tx, Value};

use super::{
    Outbox,
    lease::{self, RELAY, micros},
    queue::{OutboxQueue, QueuedRow},
};

/// The number of the advisory lock, the same in all databases: "quintet" in ASCII.
const LOCK: i64 = 0x0071_7569_6e74_6574;
/// The end of a lease that has none.
const NEVER: Value = Value::Int(lease::NEVER);
/// True while a replica has taken the outbox; `$2` is [`NEVER`].
const TAKEN: &str = "exists (select 1 from lease where name = $1 and expires_at = $2)";
/// True while replica `$3` has taken it.
const OURS: &str =
    "exists (select 1 from lease where name = $1 and expires_at = $2 and holder = $3)";

/// What a replica knows about the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ownership {
    /// Exclusive mode: as far as this replica knows, it is the sole one. Its relay sends from the queue, and the row
    /// cache is valid.
    Sole,
    /// Shared mode: relays send what they read from the table, one relay at a time.
    Shared,
    /// The last COMMIT had an unknown outcome, or its attempt was dropped: its rows may be in the table, and are not
    /// in the queue. The same batch runs again until it commits. It assumes neither that its inputs are new nor that
    /// the row cache is right.
    InDoubt {
        /// Whether the replica is in exclusive mode, to which the next commit returns it.
        sole: bool,
    },
}

/// What happens to a replica's ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// This replica took the outbox for itself.
    Taken,
    /// This replica looked, and still has the outbox.
    FoundOurs,
    /// This replica looked, and does not have the outbox.
    FoundShared,
    /// A COMMIT ended without a result, or the attempt was dropped.
    CommitUnknown,
    /// A batch committed.
    Committed,
}

impl Change {
    /// Whether the ownership changed: then the table may hold rows that are not in the queue, and that the relay has
    /// not read.
    pub(crate) fn leaves_queue_incomplete(self) -> bool {
        matches!(self, Self::Taken | Self::FoundOurs | Self::FoundShared)
    }
}

impl Ownership {
    /// Whether this replica works in exclusive mode.
    pub(crate) fn is_sole(self) -> bool {
        matches!(self, Self::Sole | Self::InDoubt { sole: true })
    }

    /// Whether the last COMMIT had an unknown outcome.
    pub(crate) fn is_in_doubt(self) -> bool {
        matches!(self, Self::InDoubt { .. })
    }

    /// The state machine. Only a commit ends a doubt; it outlasts that another replica takes the outbox.
    #[expect(clippy::match_same_arms, reason = "a line for each transition")]
    pub(crate) fn after(self, change: Change) -> Self {
        match (self, change) {
            (Self::Sole | Self::Shared, Change::Taken | Change::FoundOurs) => Self::Sole,
            (Self::Sole | Self::Shared, Change::FoundShared) => Self::Shared,
            (Self::Sole | Self::Shared, Change::Committed) => self,
            (Self::InDoubt { .. }, Change::Taken | Change::FoundOurs) => {
                Self::InDoubt { sole: true }
            }
            (Self::InDoubt { .. }, Change::FoundShared) => Self::InDoubt { sole: false },
            (Self::InDoubt { sole: true }, Change::Committed) => Self::Sole,
            (Self::InDoubt { sole: false }, Change::Committed) => Self::Shared,
            (_, Change::CommitUnknown) => Self::InDoubt { sole: self.is_sole() },
        }
    }
}

/// The ownership and the queue, which change together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OwnedQueue<R> {
    ownership: Ownership,
    queue: OutboxQueue<R>,
}

impl<R: QueuedRow> OwnedQueue<R> {
    pub(crate) fn new(ownership: Ownership) -> Self {
        Self { ownership, queue: OutboxQueue::default() }
    }

    pub(crate) fn ownership(&self) -> Ownership {
        self.ownership
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.ownership = self.ownership.after(change);
        if change.leaves_queue_incomplete() {
            self.queue.mark_incomplete();
        }
    }

    /// A batch committed `rows` in a transaction that relied on `relied_on`. Returns whether the relay must read
    /// the table.
    ///
    /// If an earlier commit was in doubt, its outcome is certain now: this batch repeated the same inputs, so its
    /// transaction waited for the locks of the earlier one. The table may hold the rows of both. The earlier rows are
    /// not in the queue, so the later ones must not be either, or the relay would send them first.
    pub(crate) fn committed(&mut self, rows: Vec<R>, relied_on: Ownership) -> bool {
        let was_in_doubt = self.ownership.is_in_doubt();
        if was_in_doubt {
            self.queue.mark_incomplete();
        } else if relied_on.is_sole() {
            self.queue.push(rows);
        }
        self.change(Change::Committed);
        was_in_doubt
    }

    pub(crate) fn take(&mut self, limit: usize) -> Vec<R> {
        self.queue.take(limit)
    }

    pub(crate) fn mark_incomplete(&mut self) {
        self.queue.mark_incomplete();
    }

    #[cfg(test)]
    pub(super) fn set_ownership(&mut self, ownership: Ownership) {
        self.ownership = ownership;
    }

    #[cfg(test)]
    pub(super) fn set_queue_of(&mut self, other: &Self)
    where
        R: Clone,
    {
        self.queue = other.queue.clone();
    }

    #[cfg(test)]
    pub(super) fn push(&mut self, rows: Vec<R>) {
        self.queue.push(rows);
    }

    pub(crate) fn take_incomplete(&mut self) -> bool {
        self.queue.take_incomplete()
    }
}

impl Outbox {
    /// Begins a batch's transaction. Until it ends, no replica takes or shares the outbox.
    pub(crate) async fn begin(&self, db: &Db) -> Result<Tx, StoreError> {
        if self.always_sole { db.begin().await } else { db.begin_with_shared_lock(LOCK).await }
    }

    /// The condition that such a transaction requires of the database, so that it commits only if `ownership` is right.
    pub(crate) fn premise(&self, ownership: Ownership) -> Condition {
        if self.always_sole {
            return Condition::default();
        }
        let mut values = vec![RELAY.into(), NEVER];
        if ownership.is_sole() {
            values.push(self.replica.into());
            Condition::new(OURS, values)
        } else {
            Condition::new(format!("not {TAKEN}"), values)
        }
    }

    /// Takes the outbox, at the start and once the other replicas seem to have gone. A replica that had taken it
    /// notices at its next batch, or when it next calls [`Outbox::confirm`].
    pub(crate) async fn take(&self, db: &Db) -> Result<(), StoreError> {
        if self.always_sole {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        tx.lock_exclusively(LOCK).await?;
        let sql = "insert into lease (name, holder, token, expires_at) values ($1, $2, 1, $3) \
                   on conflict (name) do update \
                   set holder = $2, token = lease.token + 1, expires_at = $3";
        tx.execute(sql, vec![RELAY.into(), self.replica.into(), NEVER]).await?;
        tx.commit().await?;
        self.change(Change::Taken);
        Ok(())
    }

    /// Called in shared mode, before the relay takes the lease: if any replica has taken the outbox, finds out which,
    /// and shares it if it is another one.
    pub(crate) async fn share(&self, db: &Db) -> Result<(), StoreError> {
        let taken = format!("select 1 where {TAKEN}");
        if db.fetch(&taken, vec![RELAY.into(), NEVER]).await?.is_empty() {
            return Ok(());
        }
        self.look(db).await
    }

    /// Called when a batch's premise did not hold, and by [`Outbox::share`]: finds out whether this replica has the
    /// outbox. If another one has, both share it from now on.
    pub(crate) async fn look(&self, db: &Db) -> Result<(), StoreError> {
        let mut tx = db.begin().await?;
        tx.lock_exclusively(LOCK).await?;
        let values = vec![RELAY.into(), NEVER, self.replica.into()];
        let ours = !tx.fetch(&format!("select 1 where {OURS}"), values).await?.is_empty();
        if !ours {
            let clock = db.kind().clock();
            let sql = format!(
                "update lease set expires_at = {clock} + $3 where name = $1 and expires_at = $2"
            );
            tx.execute(&sql, vec![RELAY.into(), NEVER, micros(self.lease_length)]).await?;
        }
        tx.commit().await?;
        self.change(if ours { Change::FoundOurs } else { Change::FoundShared });
        Ok(())
    }

    /// Called once a second by the relay of a sole replica: notices that another replica has taken or shared the
    /// outbox, although this one applies no batch. The other replica may have committed rows and died before it sent
    /// them. Then only this one is left to send them, from the table.
    pub(crate) async fn confirm(&self, db: &Db) -> Result<(), StoreError> {
        let values = vec![RELAY.into(), NEVER, self.replica.into()];
        if !self.always_sole
            && db.fetch(&format!("select 1 where {OURS}"), values).await?.is_empty()
        {
            self.change(Change::FoundShared);
        }
        Ok(())
    }

    /// Called at the end of a drain: the next replica may have the lease at once.
    pub(crate) async fn release(&self, db: &Db) -> Result<(), StoreError> {
        if self.always_sole {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        let sql = "update lease set expires_at = 0 \
                   where name = $1 and expires_at = $2 and holder = $3";
        tx.execute(sql, vec![RELAY.into(), NEVER, self.replica.into()]).await?;
        tx.commit().await
    }
}
