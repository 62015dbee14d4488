use sqlx::{
    AssertSqlSafe, Decode, Executor, Row as _, Sqlite, Type,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use tokio_postgres::types::FromSqlOwned;

use crate::{
    DbKind, Field, StoreError, Value, postgres, postgres::parameters, row_cache::CacheSession,
};

/// A transaction on either database.
///
/// On PostgreSQL a write whose result is not needed is sent without waiting for the answer. If it fails, the
/// next read reports the failure, or at the latest the commit, which then has not committed.
#[derive(Debug)]
pub struct Tx {
    pub(crate) on: On,
    /// This transaction's use of the row cache; only a sole writer has one.
    pub(crate) cache: Option<CacheSession>,
}

#[derive(Debug)]
pub(crate) enum On {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(postgres::Transaction),
}

impl From<On> for Tx {
    fn from(on: On) -> Self {
        Self { on, cache: None }
    }
}

/// A row of either database.
#[derive(Debug)]
pub struct Row(pub(crate) Native);

#[derive(Debug)]
pub(crate) enum Native {
    Sqlite(SqliteRow),
    Postgres(tokio_postgres::Row),
}

impl Row {
    /// The column at `index`.
    ///
    /// # Errors
    /// If the column is null or not of this type.
    pub fn get<T: Field>(&self, index: usize) -> Result<T, StoreError> {
        T::require(self, index)
    }

    pub(crate) fn native<T>(&self, index: usize) -> Result<Option<T>, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + FromSqlOwned,
    {
        match &self.0 {
            Native::Sqlite(row) => row.try_get(index).map_err(StoreError::sqlx),
            Native::Postgres(row) => row.try_get(index).map_err(StoreError::postgres),
        }
    }
}

impl Tx {
    /// Which database the transaction is on.
    #[must_use]
    pub fn kind(&self) -> DbKind {
        match &self.on {
            On::Sqlite(_) => DbKind::Sqlite,
            On::Postgres(_) => DbKind::Postgres,
        }
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// If the database refuses the query or is unavailable.
    pub async fn fetch(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        match &mut self.on {
            On::Sqlite(tx) => fetch_sqlite(&mut **tx, sql, values).await,
            On::Postgres(tx) => tx.fetch(sql, parameters(values)).await,
        }
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// If the database refuses the statement or is unavailable.
    pub async fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        match &mut self.on {
            On::Sqlite(tx) => execute_sqlite(tx, sql, values).await,
            On::Postgres(tx) => tx.execute(sql, parameters(values)).await,
        }
    }

    /// Commits. After an error the outcome is *unknown*: the database may have committed.
    ///
    /// # Errors
    /// If the database did not confirm the commit.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.on {
            On::Sqlite(tx) => tx.commit().await.map_err(StoreError::sqlx)?,
            On::Postgres(tx) => tx.commit().await?,
        }
        if let Some(cache) = self.cache {
            cache.committed();
        }
        Ok(())
    }
}

type SqliteQuery = Query<'static, Sqlite, SqliteArguments>;

// Safe: all SQL is assembled from constants of this workspace. Values from outside are bound, never spliced.
fn sqlite(sql: &str, values: Vec<Value>) -> SqliteQuery {
    values.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match value {
        Value::Uuid(value) => query.bind(value),
        Value::Int(value) => query.bind(value),
        Value::Bool(value) => query.bind(value),
        Value::Text(value) => query.bind(value.into_owned()),
        Value::Bytes(value) => query.bind(value),
        Value::Null(_) => query.bind(None::<i64>),
    })
}

pub(crate) async fn fetch_sqlite<'e>(
    executor: impl Executor<'e, Database = Sqlite>,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, StoreError> {
    let rows = sqlite(sql, values).fetch_all(executor).await.map_err(StoreError::sqlx)?;
    Ok(rows.into_iter().map(|row| Row(Native::Sqlite(row))).collect())
}

/// Returns how many rows it changed.
pub(crate) async fn execute_sqlite(
    tx: &mut sqlx::Transaction<'static, Sqlite>,
    sql: &str,
    values: Vec<Value>,
) -> Result<u64, StoreError> {
    let done = sqlite(sql, values).execute(&mut **tx).await.map_err(StoreError::sqlx)?;
    Ok(done.rows_affected())
}
