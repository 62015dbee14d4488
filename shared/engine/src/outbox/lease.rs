//! The relay's lease: the right to send from a shared outbox, for a time.

use std::time::Duration;

use store::{Condition, Db, DbKind, StoreError, Value};
use uuid::Uuid;

/// The name of the relay's lease.
pub(crate) const RELAY: &str = "relay";
/// The PostgreSQL channel on which replicas notify each other's relays.
pub(crate) const CHANNEL: &str = "quintet_relay";
/// Tells the holder of the lease: the outbox has more rows.
pub(crate) const MORE: &str = "more";
/// Tells the others: the lease is free.
pub(crate) const FREE: &str = "free";

/// The end of a lease that has none.
pub(crate) const NEVER: i64 = i64::MAX;

/// A replica's view of a lease. Its fencing token rises with each holder.
///
/// Only the database's clock says when a lease ends. A lease that ends later than any lease lasts was taken before
/// that clock was set back, and counts as ended. This process's steady clock only says when to look again.
/// Each delete that relies on the lease checks [`Lease::fence`] in the database.
#[derive(Debug)]
pub(crate) struct Lease {
    name: &'static str,
    holder: Uuid,
    length: Duration,
    token: Option<i64>,
    renew_at: Duration,
    /// Until then another replica holds it.
    taken_until: Duration,
}

impl Lease {
    pub(crate) fn new(name: &'static str, holder: Uuid, length: Duration) -> Self {
        let (renew_at, taken_until) = (Duration::ZERO, Duration::ZERO);
        Self { name, holder, length, token: None, renew_at, taken_until }
    }

    /// Whether it is this replica's, and needs no renewal yet.
    pub(crate) fn is_fresh(&self, now: Duration) -> bool {
        self.token.is_some() && now < self.renew_at
    }

    /// Whether another replica is known to hold it.
    pub(crate) fn is_taken(&self, now: Duration) -> bool {
        self.token.is_none() && now < self.taken_until
    }

    /// Whether this replica held it when it last looked.
    pub(crate) fn was_ours(&self) -> bool {
        self.token.is_some()
    }

    /// Another replica released it.
    pub(crate) fn freed(&mut self) {
        self.taken_until = Duration::ZERO;
    }

    /// Takes or renews it if it is free or this replica's. Returns whether this replica holds it now.
    ///
    /// A lease without an end is left alone, also this replica's own: it stands for exclusive mode, which an open
    /// transaction may rely on. Only [`Outbox::look`](super::Outbox::look) and its kind end that, under the lock.
    pub(crate) async fn take(&mut self, db: &Db, now: Duration) -> Result<bool, StoreError> {
        // A read first: an upsert that changes nothing still writes, to lock the row.
        if self.token.is_none()
            && let Some(left) = self.left_to_another(db).await?
        {
            self.taken_until = now + left;
            return Ok(false);
        }
        let (clock, lasts) = (db.kind().clock(), lasts(db.kind(), "$3"));
        let sql = format!(
            "insert into lease (name, holder, token, expires_at) values ($1, $2, 1, {clock} + $3) \
             on conflict (name) do update set expires_at = {clock} + $3, holder = $2, \
             token = lease.token + case when lease.holder = $2 then 0 else 1 end \
             where lease.holder = $2 and lease.expires_at <> {NEVER} or not {lasts} returning token"
        );
        let mut tx = db.begin().await?;
        let values = vec![self.name.into(), self.holder.into(), micros(self.length)];
        let rows = tx.fetch(&sql, values).await?;
        tx.commit().await?;
        self.token = rows.first().map(|row| row.get(0)).transpose()?;
        self.renew_at = now + self.length / 3;
        Ok(self.token.is_some())
    }

    /// For how long another replica still holds it, by the database's clock.
    async fn left_to_another(&self, db: &Db) -> Result<Option<Duration>, StoreError> {
        let (clock, lasts) = (db.kind().clock(), lasts(db.kind(), "$3"));
        let sql = format!(
            "select lease.expires_at - {clock} from lease \
             where name = $1 and holder <> $2 and {lasts}"
        );
        let values = vec![self.name.into(), self.holder.into(), micros(self.length)];
        let rows = db.fetch(&sql, values).await?;
        let left = rows.first().map(|row| row.get::<i64>(0)).transpose()?;
        // A lease without an end may get one at any time.
        Ok(left.map(|micros| {
            Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(self.length)
        }))
    }

    /// A condition that holds in the database as long as this replica has the lease, for [`Db::discard_if`].
    /// `None` if this replica knows that it has not.
    pub(crate) fn fence(&self) -> Option<Condition> {
        let token = self.token?;
        let sql = "exists (select 1 from lease where name = $1 and holder = $2 and token = $3)";
        let values = vec![self.name.into(), self.holder.into(), Value::Int(token)];
        Some(Condition::new(sql, values))
    }

    /// The fence did not hold.
    pub(crate) fn lost(&mut self) {
        self.token = None;
    }

    /// Releases it and tells the other replicas.
    pub(crate) async fn release(&mut self, db: &Db) -> Result<(), StoreError> {
        let Some(token) = self.token.take() else { return Ok(()) };
        let sql = "update lease set expires_at = 0 where name = $1 and holder = $2 and token = $3";
        let mut tx = db.begin().await?;
        let values = vec![self.name.into(), self.holder.into(), Value::Int(token)];
        tx.execute(sql, values).await?;
        tx.notify(CHANNEL, FREE).await?;
        tx.commit().await
    }
}

/// The replica that holds the lease of this name now. A lease that ends later than `length` from now has ended.
pub(crate) async fn holder(
    db: &Db,
    name: &'static str,
    length: Duration,
) -> Result<Option<Uuid>, StoreError> {
    let lasts = lasts(db.kind(), "$2");
    let sql = format!("select holder from lease where name = $1 and {lasts}");
    let rows = db.fetch(&sql, vec![name.into(), micros(length)]).await?;
    rows.first().map(|row| row.get(0)).transpose()
}

/// A condition that holds for a lease that has not ended. The parameter `length` is how long a lease lasts.
fn lasts(kind: DbKind, length: &str) -> String {
    let clock = kind.clock();
    format!(
        "(lease.expires_at > {clock} and lease.expires_at <= {clock} + {length} \
         or lease.expires_at = {NEVER})"
    )
}

pub(crate) fn micros(duration: Duration) -> Value {
    Value::Int(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}
