//! Whether this replica has its database to itself, and so may send straight from memory what it has
//! committed.
//!
//! Whoever starts takes the outbox for itself: the relay's lease, without an end. Each of its
//! transactions then relies on that. Whoever works on a database that another has taken calls for
//! sharing: the lease gets an end, and from then on each relay sends only what it has read from the
//! table, one relay at a time.
//!
//! Why no event of an aggregate is passed by a later one: a transaction holds a lock. A replica that takes
//! or shares the outbox needs that lock exclusively. So what committed while the outbox was taken is of the taker alone,
//! all that others had committed was in the table when it was taken, and the taker reads the table
//! before it sends from memory. Once it is shared, a transaction of the former taker fails, is run
//! again, and nothing that commits then goes out from memory. What lies in memory still may: all that
//! it follows has been sent, or lies before it there. Who hangs and wakes can only repeat.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use store::{Condition, Db, Kept, StoreError, Tx, Value};
use uuid::Uuid;

use crate::lease::{self, RELAY, micros};

/// The number of the lock, the same in all databases: "quintet" in ASCII.
const LOCK: i64 = 0x0071_7569_6e74_6574;
/// The end of a lease that has none.
const NEVER: Value = Value::Int(lease::NEVER);
/// What holds while somebody has taken the outbox; `$2` is [`NEVER`].
const TAKEN: &str = "exists (select 1 from lease where name = $1 and expires_at = $2)";
/// What holds while replica `$3` has.
const OURS: &str =
    "exists (select 1 from lease where name = $1 and expires_at = $2 and holder = $3)";

/// See the module.
#[derive(Debug)]
pub(crate) struct Exclusive {
    replica: Uuid,
    /// Whether nobody else can be there: a file keeps a second process off.
    always: bool,
    /// How long the lease lasts, once it has an end.
    length: Duration,
    alone: AtomicBool,
    /// The state rows as we left them. Whoever comes or goes may have changed them.
    kept: Arc<Kept>,
}

impl Exclusive {
    pub(crate) fn new(replica: Uuid, always: bool, length: Duration) -> Self {
        Self { replica, always, length, alone: AtomicBool::new(always), kept: Arc::default() }
    }

    /// Who we are.
    pub(crate) fn replica(&self) -> Uuid {
        self.replica
    }

    /// Whether nobody else can be there, ever.
    pub(crate) fn is_always(&self) -> bool {
        self.always
    }

    /// Whether we had the database to ourselves when we last looked.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Acquire)
    }

    fn set(&self, alone: bool) {
        self.kept.forget();
        self.alone.store(alone, Ordering::Release);
    }

    /// The state rows as this process left them.
    pub(crate) fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    /// Begins a transaction within which what we know cannot change, once it is found to hold.
    pub(crate) async fn begin(&self, db: &Db) -> Result<Tx, StoreError> {
        if self.always { db.begin().await } else { db.begin_beside_others(LOCK).await }
    }

    /// What such a transaction has to rely on if we are `alone`, or are not.
    pub(crate) fn relied_on(&self, alone: bool) -> Condition {
        if self.always {
            return Condition::default();
        }
        let mut values = vec![RELAY.into(), NEVER];
        if alone {
            values.push(self.replica.into());
            Condition::new(OURS, values)
        } else {
            Condition::new(format!("not {TAKEN}"), values)
        }
    }

    /// Takes the outbox, from whoever has it. What is in the table is to be read after this.
    pub(crate) async fn take(&self, db: &Db) -> Result<(), StoreError> {
        if self.always {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        tx.lock_alone(LOCK).await?;
        let sql = "insert into lease (name, holder, token, expires_at) values ($1, $2, 1, $3) \
                   on conflict (name) do update \
                   set holder = $2, token = lease.token + 1, expires_at = $3";
        tx.execute(sql, vec![RELAY.into(), self.replica.into(), NEVER]).await?;
        tx.commit().await?;
        self.set(true);
        Ok(())
    }

    /// Whoever has taken the outbox is not alone: we are here too.
    pub(crate) async fn share(&self, db: &Db) -> Result<(), StoreError> {
        let taken = format!("select 1 where {TAKEN}");
        if db.fetch(&taken, vec![RELAY.into(), NEVER]).await?.is_empty() {
            return Ok(());
        }
        self.look(db).await
    }

    /// Looks again who has the outbox. If it is another, the two of us share it from now on.
    pub(crate) async fn look(&self, db: &Db) -> Result<(), StoreError> {
        let mut tx = db.begin().await?;
        tx.lock_alone(LOCK).await?;
        let values = vec![RELAY.into(), NEVER, self.replica.into()];
        let ours = !tx.fetch(&format!("select 1 where {OURS}"), values).await?.is_empty();
        if !ours {
            let clock = db.kind().clock();
            let sql = format!(
                "update lease set expires_at = {clock} + $3 where name = $1 and expires_at = $2"
            );
            tx.execute(&sql, vec![RELAY.into(), NEVER, micros(self.length)]).await?;
        }
        tx.commit().await?;
        self.set(ours);
        Ok(())
    }

    /// Notices that another has called for sharing: it may be gone before it sends what it committed.
    pub(crate) async fn confirm(&self, db: &Db) -> Result<(), StoreError> {
        let values = vec![RELAY.into(), NEVER, self.replica.into()];
        if !self.always && db.fetch(&format!("select 1 where {OURS}"), values).await?.is_empty() {
            self.set(false);
        }
        Ok(())
    }

    /// Lets go of what we have taken; whoever is next may have it at once.
    pub(crate) async fn release(&self, db: &Db) -> Result<(), StoreError> {
        if self.always {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        let sql = "update lease set expires_at = 0 \
                   where name = $1 and expires_at = $2 and holder = $3";
        tx.execute(sql, vec![RELAY.into(), NEVER, self.replica.into()]).await?;
        tx.commit().await
    }
}
