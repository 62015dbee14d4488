//! Many rows in a handful of statements: arrays and `unnest` in PostgreSQL, multi-row `values`
//! in SQLite, there in fixed sizes so that the statements stay prepared.

use std::fmt::Write;

use sqlx::{Postgres, postgres::PgArguments, query::Query};

use crate::{
    Column, Db, Kind, Row, StoreError, Table, Tx, Value,
    tx::{bind, postgres, sqlite},
};

/// Rows a statement in SQLite, largest first.
const SQLITE_SIZES: [usize; 3] = [64, 8, 1];

impl Tx {
    /// Inserts rows (each in the order of the table's columns). A key that is taken is an error.
    ///
    /// # Errors
    /// Of class [`Conflict`](crate::Class::Conflict) if a key is taken.
    pub async fn insert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        self.bulk_insert(table, rows, "").await.map(drop)
    }

    /// Inserts rows, in the place of those whose key is taken.
    ///
    /// # Errors
    /// If the database refuses the statement or is away.
    pub async fn upsert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let anew = table
            .columns
            .iter()
            .skip(1)
            .map(|Column { name, .. }| format!("{name} = excluded.{name}"));
        let anew = anew.collect::<Vec<_>>().join(", ");
        let tail = format!("on conflict ({}) do update set {anew}", table.key().name);
        self.bulk_insert(table, rows, &tail).await.map(drop)
    }

    /// Inserts rows, passes over those whose key is taken, and answers the keys of the new ones.
    ///
    /// # Errors
    /// If the database refuses the statement or is away.
    pub async fn insert_new(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, StoreError> {
        let tail = format!("on conflict do nothing returning {}", table.key().name);
        self.bulk_insert(table, rows, &tail).await
    }

    async fn bulk_insert(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        tail: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let head = format!("insert into {} ({})", table.name, table.names());
        let kinds: Vec<Kind> = table.columns.iter().map(|column| column.kind).collect();
        match self {
            Self::Postgres(_) if rows.is_empty() => Ok(Vec::new()),
            Self::Postgres(tx) => {
                let sql = format!("{head} select * from {} {tail}", unnest(&kinds));
                let found = bind_columns(&sql, &kinds, rows).fetch_all(&mut **tx).await?;
                Ok(found.into_iter().map(Row::Postgres).collect())
            }
            Self::Sqlite(_) => {
                let width = kinds.len();
                self.in_chunks(rows, |size| format!("{head} values {} {tail}", tuples(size, width)))
                    .await
            }
        }
    }

    /// Updates rows by their first column.
    ///
    /// # Errors
    /// [`StoreError::Vanished`] if one of them is not there.
    pub async fn update(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let expected = rows.len();
        if expected == 0 {
            return Ok(());
        }
        let kinds: Vec<Kind> = table.columns.iter().map(|column| column.kind).collect();
        let key = table.key().name;
        let sets = |from: &dyn Fn(usize, &str) -> String| {
            let columns = table.columns.iter().enumerate().skip(1);
            columns
                .map(|(index, column)| format!("{} = {}", column.name, from(index, column.name)))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let found = match self {
            Self::Postgres(tx) => {
                let sql = format!(
                    "update {name} as t set {} from {} as v({}) where t.{key} = v.{key}",
                    sets(&|_, column| format!("v.{column}")),
                    unnest(&kinds),
                    table.names(),
                    name = table.name,
                );
                bind_columns(&sql, &kinds, rows).execute(&mut **tx).await?.rows_affected()
            }
            Self::Sqlite(tx) => {
                let sets = sets(&|index, _| format!("v.column{}", index + 1));
                let mut found = 0;
                for chunk in chunks(rows) {
                    let sql = format!(
                        "update {} as t set {sets} from (values {}) as v where t.{key} = v.column1",
                        table.name,
                        tuples(chunk.len(), kinds.len()),
                    );
                    let values = chunk.into_iter().flatten().collect();
                    found += sqlite(&sql, values).execute(&mut **tx).await?.rows_affected();
                }
                found
            }
        };
        if found == expected as u64 {
            Ok(())
        } else {
            Err(StoreError::Vanished { table: table.name, expected, found })
        }
    }

    /// Reads the rows with these keys, in the order of their keys, and locks them.
    ///
    /// # Errors
    /// If the database refuses the query or is away.
    pub async fn select_locked(
        &mut self,
        table: &Table,
        keys: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let head = format!("select {} from {}", table.names(), table.name);
        let key = table.key().name;
        let tail = match self {
            Self::Postgres(_) => format!("order by {key} for update"),
            Self::Sqlite(_) => format!("order by {key}"),
        };
        self.by_keys(&head, table.key().name, table.key().kind, keys, &tail).await
    }

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

    async fn by_keys(
        &mut self,
        head: &str,
        key: &str,
        kind: Kind,
        keys: Vec<Value>,
        tail: &str,
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Postgres(_) if keys.is_empty() => Ok(Vec::new()),
            Self::Postgres(tx) => {
                let sql = format!("{head} where {key} = any($1) {tail}");
                let query = bind_array(postgres(&sql, Vec::new()), kind, keys);
                let found = query.fetch_all(&mut **tx).await?;
                Ok(found.into_iter().map(Row::Postgres).collect())
            }
            Self::Sqlite(_) => {
                let rows = keys.into_iter().map(|key| vec![key]).collect();
                self.in_chunks(rows, |size| {
                    format!("{head} where {key} in {} {tail}", tuples(1, size))
                })
                .await
            }
        }
    }

    async fn in_chunks(
        &mut self,
        rows: Vec<Vec<Value>>,
        sql: impl Fn(usize) -> String + Send,
    ) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        for chunk in chunks(rows) {
            let sql = sql(chunk.len());
            found.extend(self.fetch(&sql, chunk.into_iter().flatten().collect()).await?);
        }
        Ok(found)
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
        let Self::Postgres(pool) = self else {
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
        let query = bind_array(postgres(&sql, Vec::new()), kind, keys);
        let deleted = bind(query, values).execute(pool).await?.rows_affected();
        Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
    }
}

fn chunks(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Vec<Value>>> {
    let mut chunks = Vec::new();
    for size in SQLITE_SIZES {
        while rows.len() >= size {
            let rest = rows.split_off(size);
            chunks.push(std::mem::replace(&mut rows, rest));
        }
    }
    chunks
}

/// `($1, $2), ($3, $4)`
fn tuples(count: usize, width: usize) -> String {
    let mut sql = String::new();
    for row in 0..count {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            let comma = if column == 0 { "" } else { ", " };
            let _ = write!(sql, "{comma}${}", row * width + column + 1);
        }
        sql.push(')');
    }
    sql
}

/// `unnest($1::uuid[], $2::text[])`
fn unnest(kinds: &[Kind]) -> String {
    let arrays = kinds.iter().enumerate();
    let arrays = arrays.map(|(index, kind)| format!("${}::{}", index + 1, kind.postgres_array()));
    format!("unnest({})", arrays.collect::<Vec<_>>().join(", "))
}

type PostgresQuery = Query<'static, Postgres, PgArguments>;

fn bind_columns(sql: &str, kinds: &[Kind], rows: Vec<Vec<Value>>) -> PostgresQuery {
    let mut columns: Vec<Vec<Value>> =
        kinds.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let query = postgres(sql, Vec::new());
    columns
        .into_iter()
        .zip(kinds)
        .fold(query, |query, (column, kind)| bind_array(query, *kind, column))
}

/// Binds one typed array. A value of another kind than its column's cannot come: both are made
/// from the same [`Field`](crate::Field); it would be bound as null.
fn bind_array(query: PostgresQuery, kind: Kind, values: Vec<Value>) -> PostgresQuery {
    macro_rules! array {
        ($variant:ident) => {
            query.bind(
                values
                    .into_iter()
                    .map(
                        |value| if let Value::$variant(value) = value { Some(value) } else { None },
                    )
                    .collect::<Vec<_>>(),
            )
        };
    }
    match kind {
        Kind::Uuid => array!(Uuid),
        Kind::Int => array!(Int),
        Kind::Bool => array!(Bool),
        Kind::Text => array!(Text),
        Kind::Bytes => array!(Bytes),
    }
}
