//! What a transaction may rely on while replicas come and go.

use std::{fmt::Write, sync::Arc};

use jiff::Timestamp;

use crate::{
    Db, Record, StoreError, Tx, Value,
    bulk::NOT_SO,
    db::Pools,
    kept::{Alone, Kept},
    postgres::parameters,
    tx::On,
};

impl Tx {
    /// Waits until no other transaction has the lock of this number, and has it alone.
    ///
    /// # Errors
    /// Of class [`Unavailable`](crate::Class::Unavailable) if that takes too long.
    pub async fn lock_alone(&mut self, number: i64) -> Result<(), StoreError> {
        match &mut self.on {
            On::Postgres(tx) => {
                let sql = "select pg_advisory_xact_lock($1)";
                tx.execute_later(sql, parameters(vec![Value::Int(number)]), None).await
            }
            On::Sqlite(_) => Ok(()),
        }
    }

    /// Nobody else changes the state rows that this transaction loads: it need not lock them, nor read
    /// those that it finds in `kept`, and leaves there what it commits.
    pub fn nobody_else_writes(&mut self, kept: &Arc<Kept>, now: Timestamp) {
        self.alone = Some(Alone::new(kept, now));
    }

    /// The rows with these keys, each where it need not be read; nothing if all have to be.
    pub(crate) fn known<'k, R: Record>(
        &self,
        keys: impl Iterator<Item = &'k R::Key>,
    ) -> Vec<Option<Arc<R>>> {
        self.alone.as_ref().map_or_else(Vec::new, |alone| alone.find(keys))
    }

    /// Rows as they are once this has committed, and the keys of those that are gone.
    pub(crate) fn remember<R: Record>(
        &mut self,
        rows: impl FnOnce() -> Vec<Arc<R>>,
        gone: impl FnOnce() -> Vec<R::Key>,
    ) {
        if let Some(alone) = &mut self.alone {
            alone.keep(rows(), gone());
        }
    }

    /// Goes on only if this condition holds. In PostgreSQL the next read says so, at the latest the
    /// commit.
    ///
    /// # Errors
    /// [`StoreError::Unmet`] if it does not.
    pub async fn require(&mut self, condition: Condition) -> Result<(), StoreError> {
        let Some(holds) = condition.holds_after(0) else { return Ok(()) };
        match &mut self.on {
            // Nobody waits for the answer: no is a division by zero.
            On::Postgres(tx) => {
                let unmet = Some((NOT_SO, StoreError::Unmet));
                tx.execute_later(&holds, parameters(condition.values), unmet).await
            }
            On::Sqlite(_) => {
                let sql = format!("select 1 where {}", condition.sql);
                let holds = !self.fetch(&sql, condition.values).await?.is_empty();
                if holds { Ok(()) } else { Err(StoreError::Unmet) }
            }
        }
    }
}

impl Db {
    /// Begins a transaction ([`Db::begin`]) until the end of which nobody gets the lock of this number
    /// [alone](Tx::lock_alone). In SQLite the one writer has it anyway.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_beside_others(&self, number: i64) -> Result<Tx, StoreError> {
        let Pools::Postgres(server) = &self.0 else { return self.begin().await };
        let locked = format!("begin; select pg_advisory_xact_lock_shared({number})");
        Ok(On::Postgres(server.begin(&locked).await?).into())
    }
}

/// What a transaction relies on, in SQL.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    sql: String,
    pub(crate) values: Vec<Value>,
}

impl Condition {
    /// An expression, the values of which are numbered from `$1`.
    pub fn new(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values }
    }

    /// This and that.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        if self.sql.is_empty() {
            return other;
        }
        if !other.sql.is_empty() {
            self.sql =
                format!("({}) and ({})", self.sql, renumbered(&other.sql, self.values.len()));
            self.values.extend(other.values);
        }
        self
    }

    /// A query that divides by zero if it does not hold, beside this many other values; `None` if
    /// nothing is relied on.
    pub(crate) fn holds_after(&self, values: usize) -> Option<String> {
        let sql = renumbered(&self.sql, values);
        (!sql.is_empty()).then(|| format!("(select 1 / ({sql})::int)"))
    }
}

/// `$1` becomes `$3` after two others.
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
    fn conditions_keep_their_values_apart() {
        let ours = Condition::new("a = $1 or b = $2", vec![Value::Int(1), Value::Int(2)]);
        let both = Condition::default().and(ours.clone()).and(Condition::new("c", Vec::new()));
        let both = both.and(ours).and(Condition::default());
        let sql = "((a = $1 or b = $2) and (c)) and (a = $3 or b = $4)";
        assert_eq!((both.sql.as_str(), both.values.len()), (sql, 4));
        assert_eq!(both.holds_after(9).unwrap().matches("$13").count(), 1);
        assert_eq!(Condition::default().holds_after(3), None);
    }
}
