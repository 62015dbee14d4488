//! What a transaction may rely on while replicas come and go.

use crate::{StoreError, Tx, Value, bulk::NOT_SO, postgres::parameters};

impl Tx {
    /// Until this transaction ends, nobody gets the lock of this number alone. In SQLite the one
    /// writer has it anyway.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn lock_beside_others(&mut self, number: i64) -> Result<(), StoreError> {
        self.lock("select pg_advisory_xact_lock_shared($1)", number).await
    }

    /// Waits until no other transaction has the lock of this number, and has it alone.
    ///
    /// # Errors
    /// Of class [`Unavailable`](crate::Class::Unavailable) if that takes too long.
    pub async fn lock_alone(&mut self, number: i64) -> Result<(), StoreError> {
        self.lock("select pg_advisory_xact_lock($1)", number).await
    }

    async fn lock(&mut self, sql: &str, number: i64) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => {
                tx.execute_later(sql, parameters(vec![Value::Int(number)]), None).await
            }
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// Nobody else changes the state rows that this transaction loads: it need not lock them.
    pub fn need_not_lock_rows(&mut self) {
        if let Self::Postgres(tx) = self {
            tx.locks_rows = false;
        }
    }

    /// Goes on only if this condition holds. In PostgreSQL the next read says so, at the latest the
    /// commit.
    ///
    /// # Errors
    /// [`StoreError::Unmet`] if it does not.
    pub async fn require(&mut self, condition: &str, values: Vec<Value>) -> Result<(), StoreError> {
        match self {
            // Nobody waits for the answer: no is a division by zero.
            Self::Postgres(tx) => {
                let sql = format!("select 1 / ({condition})::int");
                tx.execute_later(&sql, parameters(values), Some((NOT_SO, StoreError::Unmet))).await
            }
            Self::Sqlite(_) => {
                let sql = format!("select 1 where {condition}");
                let holds = !self.fetch(&sql, values).await?.is_empty();
                if holds { Ok(()) } else { Err(StoreError::Unmet) }
            }
        }
    }
}
