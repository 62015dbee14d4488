use std::time::Duration;

use jiff::Timestamp;
use store::{Db, DbKind, StoreError, Tx, Value};
use uuid::Uuid;

/// The right to do something alone, for a time, with a fencing token that rises with each holder.
#[derive(Debug)]
pub(crate) struct Lease {
    name: &'static str,
    holder: Uuid,
    length: Duration,
    token: Option<i64>,
    renew_at: Timestamp,
}

impl Lease {
    pub(crate) fn new(name: &'static str, holder: Uuid, length: Duration) -> Self {
        Self { name, holder, length, token: None, renew_at: Timestamp::MIN }
    }

    /// Takes or renews the lease if it is free; whether it is ours now.
    pub(crate) async fn hold(&mut self, db: &Db, now: Timestamp) -> Result<bool, StoreError> {
        if self.token.is_some() && now < self.renew_at {
            return Ok(true);
        }
        let sql = "insert into lease (name, holder, token, expires_at) values ($1, $2, 1, $3) \
                   on conflict (name) do update set expires_at = $3, holder = $2, \
                   token = lease.token + case when lease.holder = $2 then 0 else 1 end \
                   where lease.holder = $2 or lease.expires_at < $4 returning token";
        let expires_at = now.saturating_add(self.length).unwrap_or(Timestamp::MAX);
        let values = vec![self.name.into(), self.holder.into(), expires_at.into(), now.into()];
        let mut tx = db.begin().await?;
        let rows = tx.fetch(sql, values).await?;
        tx.commit().await?;
        self.token = rows.first().map(|row| row.get(0)).transpose()?;
        self.renew_at = now.saturating_add(self.length / 3).unwrap_or(Timestamp::MAX);
        Ok(self.token.is_some())
    }

    /// Whether the lease is still ours, in the transaction that relies on it. If not, it is
    /// forgotten.
    pub(crate) async fn check(&mut self, tx: &mut Tx) -> Result<bool, StoreError> {
        let Some(token) = self.token else { return Ok(false) };
        let lock = match tx.kind() {
            DbKind::Postgres => "for update",
            DbKind::Sqlite => "",
        };
        let sql = format!("select token from lease where name = $1 and token = $2 {lock}");
        let ours = !tx.fetch(&sql, vec![self.name.into(), Value::Int(token)]).await?.is_empty();
        if !ours {
            self.token = None;
        }
        Ok(ours)
    }
}
