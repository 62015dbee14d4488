//! Inserts, updates and selects many rows in a handful of statements: by arrays and `unnest` in PostgreSQL, by
//! multi-row `values` in SQLite, in fixed sizes so that few different statements have to be prepared.
//!
//! On PostgreSQL most writes are pipelined: they are sent without waiting for the answer, so that no code reads
//! their row count. Such a statement reports a failed precondition by dividing by zero. The client translates
//! that error into the one that the statement was sent with.

use tokio_postgres::error::SqlState;

use crate::{
    Column, Condition, Kind, Row, StoreError, Table, Tx, Value,
    postgres::{Parameters, ReportedAs, array},
    tx::{On, execute_sqlite},
};

/// How a pipelined statement reports a failed precondition. See the module.
pub(crate) const CONDITION_FAILED: &[SqlState] = &[SqlState::DIVISION_BY_ZERO];
const OPTIMISM_FAILED: &[SqlState] = &[SqlState::UNIQUE_VIOLATION, SqlState::DIVISION_BY_ZERO];

/// How many rows one statement in SQLite has, largest first.
const SQLITE_SIZES: [usize; 3] = [64, 8, 1];

impl Tx {
    /// Inserts rows, each in the order of the table's columns.
    ///
    /// # Errors
    /// Of class [`Conflict`](crate::Class::Conflict) if a key exists already.
    pub async fn insert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        self.write(table, rows, "").await
    }

    /// An optimistic insert: assumes that none of the keys exists and that `condition` holds. To ask which keys
    /// exist, as [`Tx::insert_new`] does, costs the database more. Without rows nothing is checked.
    ///
    /// # Errors
    /// [`StoreError::OptimisticInsertFailed`] if a key exists or the condition does not hold. [`Tx::insert_new`] finds out which
    /// keys exist.
    pub async fn insert_untaken(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        condition: Condition,
    ) -> Result<(), StoreError> {
        let taken = StoreError::OptimisticInsertFailed { table: table.name };
        if rows.is_empty() {
            return Ok(());
        }
        if let On::Postgres(tx) = &mut self.on {
            let check = condition.check_after(table.columns.len());
            let check = check.map(|check| format!("where {check} = 1"));
            let sql = insert_arrays(table, &check.unwrap_or_default());
            let values = columns(table, rows).and(condition.values);
            let reported = ReportedAs { states: OPTIMISM_FAILED, error: taken };
            return tx.execute_later(&sql, values, Some(reported)).await;
        }
        let written = match self.require(condition).await {
            Ok(()) => self.write(table, rows, "").await,
            unmet => unmet,
        };
        written.map_err(|error| match error {
            StoreError::PreconditionFailed => taken,
            error if error.is_unique_violation() => taken,
            error => error,
        })
    }

    /// Inserts rows. A row whose key exists already replaces the one in the table.
    ///
    /// # Errors
    /// If the database refuses the statement or is unavailable.
    pub async fn upsert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let changes = table
            .columns
            .iter()
            .skip(1)
            .map(|Column { name, .. }| format!("{name} = excluded.{name}"));
        let changes = changes.collect::<Vec<_>>().join(", ");
        let tail = format!("on conflict ({}) do update set {changes}", table.key().name);
        self.write(table, rows, &tail).await
    }

    /// Inserts those rows whose key does not exist yet, and returns their keys.
    ///
    /// # Errors
    /// If the database refuses the statement or is unavailable.
    pub async fn insert_new(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, StoreError> {
        self.insert_new_and(table, rows, "").await
    }

    /// As [`Tx::insert_new`]. Each returned row also has the columns `more`: a comma followed by expressions, or
    /// an empty text for none.
    ///
    /// # Errors
    /// As [`Tx::insert_new`].
    pub async fn insert_new_and(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        more: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let tail = format!("on conflict do nothing returning {}{more}", table.key().name);
        self.bulk_insert(table, rows, &tail).await
    }

    /// Inserts rows and returns what the `returning` of `tail` asks for.
    async fn bulk_insert(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        tail: &str,
    ) -> Result<Vec<Row>, StoreError> {
        match &mut self.on {
            On::Postgres(_) if rows.is_empty() => Ok(Vec::new()),
            On::Postgres(tx) => tx.fetch(&insert_arrays(table, tail), columns(table, rows)).await,
            On::Sqlite(_) => {
                let (head, width) = (insert_into(table), table.columns.len());
                self.in_chunks(rows, |size| format!("{head} values {} {tail}", tuples(size, width)))
                    .await
            }
        }
    }

    /// Inserts rows and returns nothing.
    async fn write(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        tail: &str,
    ) -> Result<(), StoreError> {
        match &mut self.on {
            On::Postgres(tx) if !rows.is_empty() => {
                tx.execute_later(&insert_arrays(table, tail), columns(table, rows), None).await
            }
            _ => self.bulk_insert(table, rows, tail).await.map(drop),
        }
    }

    /// Updates the rows whose key is the first value of one of these.
    ///
    /// # Errors
    /// [`StoreError::RowsMissing`] if one of them is not in the table.
    pub async fn update(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let expected = rows.len();
        if expected == 0 {
            return Ok(());
        }
        let key = table.key().name;
        let sets = |from: &dyn Fn(usize, &str) -> String| {
            let columns = table.columns.iter().enumerate().skip(1);
            columns
                .map(|(index, column)| format!("{} = {}", column.name, from(index, column.name)))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let tx = match &mut self.on {
            On::Postgres(tx) => {
                let update = format!(
                    "update {name} as t set {} from ({}) as v where t.{key} = v.{key}",
                    sets(&|_, column| format!("v.{column}")),
                    unnest(table),
                    name = table.name,
                );
                let values = columns(table, rows);
                return tx.change_later(&update, values, table.name, expected).await;
            }
            On::Sqlite(tx) => tx,
        };
        let sets = sets(&|index, _| format!("v.column{}", index + 1));
        let mut found = 0_u64;
        for chunk in chunks(rows) {
            let sql = format!(
                "update {} as t set {sets} from (values {}) as v where t.{key} = v.column1",
                table.name,
                tuples(chunk.len(), table.columns.len()),
            );
            let values = chunk.into_iter().flatten().collect();
            found += execute_sqlite(tx, &sql, values).await?;
        }
        require_all(table.name, expected, usize::try_from(found).unwrap_or(usize::MAX))
    }

    /// Reads and locks the rows with these keys, in the order of their keys.
    ///
    /// # Errors
    /// If the database refuses the query or is unavailable.
    pub async fn select_locked(
        &mut self,
        table: &Table,
        keys: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.select(table, keys, true).await
    }

    /// As [`Tx::select_locked`], but a [sole writer](Tx::assume_sole_writer) does not lock the rows.
    pub(crate) async fn select_to_change(
        &mut self,
        table: &Table,
        keys: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let lock = self.cache.is_none();
        self.select(table, keys, lock).await
    }

    async fn select(
        &mut self,
        table: &Table,
        keys: Vec<Value>,
        lock: bool,
    ) -> Result<Vec<Row>, StoreError> {
        let head = format!("select {} from {}", table.names(), table.name);
        let Column { name, kind } = table.key();
        let tail = match &mut self.on {
            On::Postgres(_) if lock => format!("order by {name} for update"),
            _ => format!("order by {name}"),
        };
        self.by_keys(&head, name, *kind, keys, &tail).await
    }

    /// Runs `head where key in (keys) tail`. The rows come back chunk by chunk in SQLite.
    pub(crate) async fn by_keys(
        &mut self,
        head: &str,
        key: &str,
        kind: Kind,
        keys: Vec<Value>,
        tail: &str,
    ) -> Result<Vec<Row>, StoreError> {
        match &mut self.on {
            On::Postgres(_) if keys.is_empty() => Ok(Vec::new()),
            On::Postgres(tx) => {
                let sql = format!("{head} where {key} = any($1) {tail}");
                tx.fetch(&sql, Parameters::from_iter([array(kind, keys)])).await
            }
            On::Sqlite(_) => {
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

/// Fails unless a statement has found as many rows as it was to change.
pub(crate) fn require_all(
    table: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), StoreError> {
    if found == expected { Ok(()) } else { Err(StoreError::RowsMissing { table, expected }) }
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

/// `(?, ?), (?, ?)`. The parameters have no numbers: sqlx asks for the name of each parameter, and SQLite then
/// searches a list of all names, which took a sixth of a service's time with many rows. Therefore the values of
/// the rows must be the only parameters of the statement.
fn tuples(count: usize, width: usize) -> String {
    let row = format!("({})", vec!["?"; width].join(", "));
    vec![row.as_str(); count].join(", ")
}

/// `insert into t (a, b)`
fn insert_into(table: &Table) -> String {
    format!("insert into {} ({})", table.name, table.names())
}

pub(crate) fn insert_arrays(table: &Table, tail: &str) -> String {
    format!("{} {} {tail}", insert_into(table), unnest(table))
}

/// `select unnest($1::uuid[]) as a, unnest($2::text[]) as b`: one row for each index of the arrays, which have
/// the same length. `from unnest($1, $2)` would mean the same, but PostgreSQL then stores the elements of each
/// array before it joins them, which costs a sixth of an insert.
fn unnest(table: &Table) -> String {
    let columns = table.columns.iter().enumerate().map(|(index, Column { name, kind })| {
        format!("unnest(${}::{}) as {name}", index + 1, kind.postgres_array())
    });
    format!("select {}", columns.collect::<Vec<_>>().join(", "))
}

/// The values of these rows as one array for each column.
pub(crate) fn columns(table: &Table, rows: Vec<Vec<Value>>) -> Parameters {
    let mut columns: Vec<Vec<Value>> =
        table.columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let kinds = table.columns.iter().map(|column| column.kind);
    kinds.zip(columns).map(|(kind, values)| array(kind, values)).collect()
}
