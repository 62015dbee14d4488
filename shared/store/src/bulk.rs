//! Many rows in a handful of statements: arrays and `unnest` in PostgreSQL, multi-row `values`
//! in SQLite, there in fixed sizes so that the statements stay prepared.

use tokio_postgres::error::SqlState;

use crate::{
    Column, Condition, Kind, Row, StoreError, Table, Tx, Value,
    postgres::{Parameters, array},
    tx::{On, execute_sqlite},
};

/// By a division by zero a statement that nobody waits for says that something is not so.
pub(crate) const NOT_SO: &[SqlState] = &[SqlState::DIVISION_BY_ZERO];
const TAKEN_OR_NOT_SO: &[SqlState] = &[SqlState::UNIQUE_VIOLATION, SqlState::DIVISION_BY_ZERO];

/// Rows a statement in SQLite, largest first.
const SQLITE_SIZES: [usize; 3] = [64, 8, 1];

impl Tx {
    /// Inserts rows (each in the order of the table's columns). A key that is taken is an error.
    ///
    /// # Errors
    /// Of class [`Conflict`](crate::Class::Conflict) if a key is taken.
    pub async fn insert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        self.write(table, rows, "").await
    }

    /// Inserts rows in the belief that no key is taken, and that this condition holds: asking would cost
    /// the database more than that. Without rows nothing is asked.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if it does not, or a key is taken; [`Tx::insert_new`] tells which.
    pub async fn insert_untaken(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        condition: Condition,
    ) -> Result<(), StoreError> {
        let taken = StoreError::Taken { table: table.name };
        if rows.is_empty() {
            return Ok(());
        }
        if let On::Postgres(tx) = &mut self.on {
            let holds = condition.holds_after(table.columns.len());
            let holds = holds.map(|it| format!("where {it} = 1"));
            let sql = insert_arrays(table, &holds.unwrap_or_default());
            let values = columns(table, rows).and(condition.values);
            return tx.execute_later(&sql, values, Some((TAKEN_OR_NOT_SO, taken))).await;
        }
        let written = match self.require(condition).await {
            Ok(()) => self.write(table, rows, "").await,
            unmet => unmet,
        };
        written.map_err(|error| match error {
            StoreError::Unmet => taken,
            error if error.is_unique_violation() => taken,
            error => error,
        })
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
        self.write(table, rows, &tail).await
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
        self.insert_new_and(table, rows, "").await
    }

    /// As [`Tx::insert_new`]; each row answers `more` too: a comma and expressions, or nothing.
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

    /// Inserts rows, the keys of which come back if `tail` says so.
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

    /// Inserts rows, none of which comes back.
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

    /// Updates rows by their first column.
    ///
    /// # Errors
    /// [`StoreError::Vanished`] if one of them is not there.
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
                return tx
                    .change_later(&update, columns(table, rows), (table.name, expected))
                    .await;
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
        all_of(table.name, expected, usize::try_from(found).unwrap_or(usize::MAX))
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
        self.select(table, keys, true).await
    }

    /// As [`Tx::select_locked`], but does not lock them where
    /// [nobody else changes them](Tx::nobody_else_writes).
    pub(crate) async fn select_to_change(
        &mut self,
        table: &Table,
        keys: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let lock = self.alone.is_none();
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

/// Whether all rows were there that were to change.
pub(crate) fn all_of(table: &'static str, expected: usize, found: usize) -> Result<(), StoreError> {
    if found == expected { Ok(()) } else { Err(StoreError::Vanished { table, expected }) }
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

/// `(?, ?), (?, ?)`. Without numbers: sqlx asks for the name of each parameter, and SQLite searches a list of
/// all names for it, which takes a sixth of a service's time with many rows. Only the values of the rows may be
/// parameters of such a statement.
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

/// `select unnest($1::uuid[]) as a, unnest($2::text[]) as b`: the rows of arrays of one length, side by
/// side. Not as a table, by `from unnest($1, $2)`: PostgreSQL would write down each array's elements
/// before it joins them, a sixth of what an insert takes.
fn unnest(table: &Table) -> String {
    let columns = table.columns.iter().enumerate().map(|(index, Column { name, kind })| {
        format!("unnest(${}::{}) as {name}", index + 1, kind.postgres_array())
    });
    format!("select {}", columns.collect::<Vec<_>>().join(", "))
}

/// An array for each column.
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
