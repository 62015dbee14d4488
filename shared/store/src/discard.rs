//! Deleting many rows in one statement.

use crate::{
    Db, Kind, Row, StoreError, Table, Tx, Value,
    bulk::{all_of, columns, insert_arrays},
    db::Pools,
    postgres::{Parameters, array},
    tx::On,
};

impl Tx {
    /// Deletes the rows with these keys and answers the keys of those that were there.
    ///
    /// # Errors
    /// If the database refuses the statement or is away.
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

    /// Deletes the rows with these keys.
    ///
    /// # Errors
    /// If the database refuses the statement or is away.
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

    /// Deletes the rows with these keys in the belief that each is there.
    ///
    /// # Errors
    /// [`StoreError::Vanished`] if one is not; [`Tx::delete`] tells which.
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
                tx.change_later(&delete, keys, (table, expected)).await
            }
            _ => {
                let found = self.delete(table, key, kind, keys).await?.len();
                all_of(table, expected, found)
            }
        }
    }

    /// Inserts rows and deletes those with these keys, which are others.
    ///
    /// # Errors
    /// As [`Tx::insert`].
    pub async fn exchange(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        (key, kind, gone): (&str, Kind, Vec<Value>),
    ) -> Result<(), StoreError> {
        match &mut self.on {
            On::Postgres(tx) if !rows.is_empty() && !gone.is_empty() => {
                let sql = format!(
                    "with gone as (delete from {} where {key} = any(${})) {}",
                    table.name,
                    table.columns.len() + 1,
                    insert_arrays(table, ""),
                );
                let values = columns(table, rows).chain([array(kind, gone)]);
                tx.execute_later(&sql, values, None).await
            }
            _ => {
                self.discard(table.name, key, kind, gone).await?;
                self.insert(table, rows).await
            }
        }
    }
}

impl Db {
    /// Deletes the rows with these keys if `condition` holds (its values are numbered from `$2`), in
    /// a transaction that nobody waits to see on the disk: after a crash they may be there again.
    /// Answers how many there were.
    ///
    /// # Errors
    /// If the database refuses the statement or is away.
    pub async fn discard_if(
        &self,
        (table, key, kind): (&str, &str, Kind),
        keys: Vec<Value>,
        (condition, values): (&str, Vec<Value>),
    ) -> Result<usize, StoreError> {
        let Pools::Postgres(server) = &self.0 else {
            let mut tx = self.begin().await?;
            let holds = format!("select 1 where $1 is null and {condition}");
            let values = [vec![Value::Null(kind)], values].concat();
            if tx.fetch(&holds, values).await?.is_empty() {
                return Ok(0);
            }
            let deleted = tx.delete(table, key, kind, keys).await?;
            tx.commit().await?;
            return Ok(deleted.len());
        };
        let sql = format!(
            "with lazily as materialized (select set_config('synchronous_commit', 'off', true)) \
             delete from {table} using lazily where {key} = any($1) and {condition}"
        );
        let values = Parameters::from_iter([array(kind, keys)]).and(values);
        let deleted = server.execute(&sql, values).await?;
        Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
    }
}
