use sqlx::{
    AssertSqlSafe, Decode, Executor, Postgres, Row as _, Sqlite, Transaction, Type,
    postgres::{PgArguments, PgRow},
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{DbKind, Field, Kind, StoreError, Value};

/// A transaction on either database.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

/// A row of either database.
#[derive(Debug)]
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
}

impl Row {
    /// The column at `index`.
    ///
    /// # Errors
    /// If it is null or not of this type.
    pub fn get<T: Field>(&self, index: usize) -> Result<T, StoreError> {
        T::require(self, index)
    }

    pub(crate) fn native<T>(&self, index: usize) -> Result<Option<T>, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite>
            + Type<Sqlite>
            + for<'r> Decode<'r, Postgres>
            + Type<Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(index)?,
            Self::Postgres(row) => row.try_get(index)?,
        })
    }
}

impl Tx {
    /// Which database it is on.
    #[must_use]
    pub fn kind(&self) -> DbKind {
        match self {
            Self::Sqlite(_) => DbKind::Sqlite,
            Self::Postgres(_) => DbKind::Postgres,
        }
    }

    /// Runs a query and takes its rows.
    ///
    /// # Errors
    /// If the database refuses the query or is away.
    pub async fn fetch(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(tx) => fetch_sqlite(&mut **tx, sql, values).await,
            Self::Postgres(tx) => fetch_postgres(&mut **tx, sql, values).await,
        }
    }

    /// Runs a statement; answers how many rows it touched.
    ///
    /// # Errors
    /// If the database refuses the statement or is away.
    pub async fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => sqlite(sql, values).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => postgres(sql, values).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Commits. After an error it is *not known* whether the database did.
    ///
    /// # Errors
    /// If the database did not confirm the commit.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

type SqliteQuery = Query<'static, Sqlite, SqliteArguments>;
type PostgresQuery = Query<'static, Postgres, PgArguments>;

// Everything that reaches these two is assembled from constants of this workspace; what comes
// from outside is bound, never spliced.
pub(crate) fn sqlite(sql: &str, values: Vec<Value>) -> SqliteQuery {
    values.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| match value {
        Value::Uuid(value) => query.bind(value),
        Value::Int(value) => query.bind(value),
        Value::Bool(value) => query.bind(value),
        Value::Text(value) => query.bind(value.into_owned()),
        Value::Bytes(value) => query.bind(value),
        Value::Null(_) => query.bind(None::<i64>),
    })
}

pub(crate) fn postgres(sql: &str, values: Vec<Value>) -> PostgresQuery {
    bind(sqlx::query(AssertSqlSafe(sql)), values)
}

pub(crate) fn bind(query: PostgresQuery, values: Vec<Value>) -> PostgresQuery {
    values.into_iter().fold(query, |query, value| match value {
        Value::Uuid(value) => query.bind(value),
        Value::Int(value) => query.bind(value),
        Value::Bool(value) => query.bind(value),
        Value::Text(value) => query.bind(value.into_owned()),
        Value::Bytes(value) => query.bind(value),
        Value::Null(Kind::Uuid) => query.bind(None::<uuid::Uuid>),
        Value::Null(Kind::Int) => query.bind(None::<i64>),
        Value::Null(Kind::Bool) => query.bind(None::<bool>),
        Value::Null(Kind::Text) => query.bind(None::<String>),
        Value::Null(Kind::Bytes) => query.bind(None::<Vec<u8>>),
    })
}

pub(crate) async fn fetch_sqlite<'e>(
    executor: impl Executor<'e, Database = Sqlite>,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, StoreError> {
    let rows = sqlite(sql, values).fetch_all(executor).await?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

pub(crate) async fn fetch_postgres<'e>(
    executor: impl Executor<'e, Database = Postgres>,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, StoreError> {
    let rows = postgres(sql, values).fetch_all(executor).await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}
