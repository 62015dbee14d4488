//! Deleting many rows in one statement.

use crate::{
    Condition, Db, Kind, Row, StoreError, Table, Tx, Value,
    bulk::{columns, insert_arrays, require_all},
    db::Pools,
    postgres::{Parameters, array},
    tx::On,
};

impl Tx {
    /// Deletes the rows with these keys and returns the keys of those that existed.
    ///
    /// # Errors
    /// If the database refuses the statement or is unavailable.
    pub async fn delete(
        &mut self,
        table: &str,
        key: &str,
        kind: Kind,
        keys: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let head = format!("delete from {table}");
        self.by_keys(&head, key, kind, keys, &format!("returning {key}")).await
    }

    /// Deletes the rows with these keys, as far as they exist.
    ///
    /// # Errors
    /// If the database refuses the statement or is unavailable.
    pub async fn discard(
        &mut self,
        table: &str,
        key: &str,
        kind: Kind,
        keys: Vec<Value>,
    ) -> Result<(), StoreError> {
        match &mut self.on {
            On::Postgres(tx) if !keys.is_empty() => {
                let sql = format!("delete from {table} where {key} = any($1)");
                tx.execute_later(&sql, Parameters::from_iter([array(kind, keys)]), None).await
            }
            _ => self.delete(table, key, kind, keys).await.map(drop),
        }
    }

    /// Deletes the rows with these keys and assumes that each exists.
    ///
    /// # Errors
    /// [`StoreError::RowsMissing`] if one does not exist. [`Tx::delete`] finds out which.
    pub async fn discard_all(
        &mut self,
        table: &'static str,
        key: &str,
        kind: Kind,
        keys: Vec<Value>,
    ) -> Result<(), StoreError> {
        let expected = keys.len();
        match &mut self.on {
            On::Postgres(tx) if expected > 0 => {
                let delete = format!("delete from {table} where {key} = any($1)");
                let keys = Parameters::from_iter([array(kind, keys)]);
                tx.change_later(&delete, keys, table, expected).await
            }
            _ => {
                let found = self.delete(table, key, kind, keys).await?.len();
                require_all(table, expected, found)
            }
        }
    }

    /// Inserts rows and deletes the rows with the keys `deleted`, in one statement where the database can do
    /// that. No row that is inserted may have one of these keys.
    ///
    /// # Errors
    /// As [`Tx::insert`].
    pub async fn exchange(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        deleted: Vec<Value>,
    ) -> Result<(), StoreError> {
        let key = table.key();
        match &mut self.on {
            On::Postgres(tx) if !rows.is_empty() && !deleted.is_empty() => {
                let sql = format!(
                    "with gone as (delete from {} where {} = any(${})) {}",
                    table.name,
                    key.name,
                    table.columns.len() + 1,
                    insert_arrays(table, ""),
                );
                let values = columns(table, rows).chain([array(key.kind, deleted)]);
                tx.execute_later(&sql, values, None).await
            }
            _ => {
                self.discard(table.name, key.name, key.kind, deleted).await?;
                self.insert(table, rows).await
            }
        }
    }
}

impl Db {
    /// Deletes the rows with these keys if `condition` holds, and returns how many there were. The commit
    /// does not wait for the disk: after a crash of the database server the rows may exist again.
    ///
    /// # Errors
    /// If the database refuses the statement or is unavailable.
    pub async fn discard_if(
        &self,
        table: &Table,
        keys: Vec<Value>,
        condition: Condition,
    ) -> Result<usize, StoreError> {
        let key = table.key();
        let Pools::Postgres(server) = &self.0 else {
            let mut tx = self.begin().await?;
            let check = format!("select 1 where {}", condition.expression_after(0));
            if tx.fetch(&check, condition.values).await?.is_empty() {
                return Ok(0);
            }
            let deleted = tx.delete(table.name, key.name, key.kind, keys).await?;
            tx.commit().await?;
            return Ok(deleted.len());
        };
        let sql = format!(
            "with lazily as materialized (select set_config('synchronous_commit', 'off', true)) \
             delete from {} using lazily where {} = any($1) and {}",
            table.name,
            key.name,
            condition.expression_after(1),
        );
        let values = Parameters::from_iter([array(key.kind, keys)]).and(condition.values);
        let deleted = server.execute(&sql, values).await?;
        Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
    }
}
