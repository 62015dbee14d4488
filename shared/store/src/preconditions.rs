//! What a transaction relies on while replicas join and leave: locks, the promise of being the only writer,
//! and conditions that it checks.

use std::{fmt::Write, sync::Arc, time::Duration};

use crate::{
    Db, Record, StoreError, Tx, Value,
    bulk::CONDITION_FAILED,
    db::Pools,
    postgres::{ReportedAs, parameters},
    row_cache::{CacheSession, RowCache},
    tx::On,
};

impl Tx {
    /// Waits until no other transaction holds the lock of this number, neither exclusively nor shared, and
    /// holds it exclusively until this transaction ends. SQLite's one writer excludes all others anyway.
    ///
    /// # Errors
    /// Of class [`Unavailable`](crate::Class::Unavailable) if that takes too long.
    pub async fn lock_exclusively(&mut self, number: i64) -> Result<(), StoreError> {
        match &mut self.on {
            On::Postgres(tx) => {
                let sql = "select pg_advisory_xact_lock($1)";
                tx.execute_later(sql, parameters(vec![Value::Int(number)]), None).await
            }
            On::Sqlite(_) => Ok(()),
        }
    }

    /// Promises that no other process changes the state rows that this transaction loads. It then neither
    /// locks them nor reads those that it finds in `cache`, and puts there what it commits. [`RowCache`]
    /// says what follows if the promise is wrong. `now` is the time of a steady clock, the same for all uses of the cache.
    pub fn assume_sole_writer(&mut self, cache: &Arc<RowCache>, now: Duration) {
        self.cache = Some(CacheSession::new(cache, now));
    }

    /// The rows with these keys, in their order, as far as they need not be read. Empty if all have to be
    /// read.
    pub(crate) fn cached<'k, R: Record>(
        &self,
        keys: impl Iterator<Item = &'k R::Key>,
    ) -> Vec<Option<Arc<R>>> {
        self.cache.as_ref().map_or_else(Vec::new, |cache| cache.find(keys))
    }

    /// Hands the cache, if this transaction uses one, the rows as they will be after the commit and the keys
    /// of deleted rows.
    pub(crate) fn cache_on_commit<R: Record>(
        &mut self,
        rows: impl FnOnce() -> Vec<Arc<R>>,
        deleted: impl FnOnce() -> Vec<R::Key>,
    ) {
        if let Some(cache) = &mut self.cache {
            cache.put_on_commit(rows(), deleted());
        }
    }

    /// Fails the transaction unless this condition holds. With PostgreSQL the call may return before the
    /// server has answered: then the next read reports the failure, or at the latest the commit.
    ///
    /// # Errors
    /// [`StoreError::PreconditionFailed`] if the condition does not hold.
    pub async fn require(&mut self, condition: Condition) -> Result<(), StoreError> {
        let Some(check) = condition.check_after(0) else { return Ok(()) };
        match &mut self.on {
            On::Postgres(tx) => {
                let unmet =
                    ReportedAs { states: CONDITION_FAILED, error: StoreError::PreconditionFailed };
                tx.execute_later(&check, parameters(condition.values), Some(unmet)).await
            }
            On::Sqlite(_) => {
                let sql = format!("select 1 where {}", condition.sql);
                let holds = !self.fetch(&sql, condition.values).await?.is_empty();
                if holds { Ok(()) } else { Err(StoreError::PreconditionFailed) }
            }
        }
    }
}

impl Db {
    /// As [`Db::begin`], and holds the lock of this number, shared with other such transactions, until the
    /// transaction ends. [`Tx::lock_exclusively`] waits for all of them. SQLite has one writer and needs no
    /// lock.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_with_shared_lock(&self, number: i64) -> Result<Tx, StoreError> {
        let Pools::Postgres(server) = &self.0 else { return self.begin().await };
        let locked = format!("begin; select pg_advisory_xact_lock_shared({number})");
        Ok(On::Postgres(server.begin(&locked).await?).into())
    }
}

/// A precondition of a transaction, in SQL. The default one has no SQL and always holds.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    sql: String,
    pub(crate) values: Vec<Value>,
}

impl Condition {
    /// A boolean expression. Its values are numbered from `$1`.
    pub fn new(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values }
    }

    /// Holds if both conditions hold.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        if self.sql.is_empty() {
            return other;
        }
        if !other.sql.is_empty() {
            let other_sql = renumbered(&other.sql, self.values.len());
            self.sql = format!("({}) and ({other_sql})", self.sql);
            self.values.extend(other.values);
        }
        self
    }

    /// The boolean expression, for a statement that has this many values before those of the condition.
    pub(crate) fn expression_after(&self, values: usize) -> String {
        if self.sql.is_empty() { "true".to_owned() } else { renumbered(&self.sql, values) }
    }

    /// A query that fails with a division by zero unless the condition holds, for a statement that has this
    /// many values before those of the condition. `None` for the condition that always holds.
    pub(crate) fn check_after(&self, values: usize) -> Option<String> {
        let check = || format!("(select 1 / ({})::int)", self.expression_after(values));
        (!self.sql.is_empty()).then(check)
    }
}

/// With two other values before it, `$1` becomes `$3`.
fn renumbered(sql: &str, others: usize) -> String {
    let mut parts = sql.split('$');
    let mut renumbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        let number = number.parse::<usize>().map_or(0, |number| number + others);
        let _ = write!(renumbered, "${number}{rest}");
    }
    renumbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_conditions_keep_their_values_apart() {
        let ours = Condition::new("a = $1 or b = $2", vec![Value::Int(1), Value::Int(2)]);
        let joined = Condition::default().and(ours.clone()).and(Condition::new("c", Vec::new()));
        let joined = joined.and(ours).and(Condition::default());
        let sql = "((a = $1 or b = $2) and (c)) and (a = $3 or b = $4)";
        assert_eq!((joined.sql.as_str(), joined.values.len()), (sql, 4));
        assert_eq!(joined.check_after(9).unwrap().matches("$13").count(), 1);
        assert_eq!(Condition::default().check_after(3), None);
    }
}
