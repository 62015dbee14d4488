use std::{sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Migrations, Record, Row, StoreError, Tx, Value,
    migrate::migrator,
    postgres::{self, parameters},
    tx,
    wal::Bound,
};

/// How long a caller waits for a connection before it hears that the database is away.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for a writer of another process (a backup, a shell).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite's one writer need not become one first.
const BEGIN: &str = "BEGIN IMMEDIATE";
/// SQLite's own, on which its limit counts.
const PAGE_BYTES: u32 = 4096;
/// Readers beside SQLite's one writer.
const SQLITE_READERS: u32 = 4;

/// Which database a [`Db`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One file, one writer.
    Sqlite,
    /// A server, shared by replicas.
    Postgres,
}

impl Kind {
    /// The database's own time in microseconds since the epoch, as SQL: the one clock that replicas
    /// share.
    #[must_use]
    pub fn clock(self) -> &'static str {
        match self {
            Self::Sqlite => "cast(unixepoch('subsec') * 1000000 as integer)",
            Self::Postgres => "(extract(epoch from clock_timestamp()) * 1000000)::bigint",
        }
    }
}

/// A database of either kind. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(pub(crate) Pools);

/// The connections to it.
#[derive(Debug, Clone)]
pub(crate) enum Pools {
    /// SQLite in WAL mode with `synchronous=FULL`: one writer, readers beside it.
    Sqlite {
        /// The only connection that writes, so that writers queue here and fairly.
        writer: SqlitePool,
        /// Connections that only read.
        readers: SqlitePool,
        /// What the file and its write-ahead log may grow to.
        bound: Option<Arc<Bound>>,
    },
    /// PostgreSQL.
    Postgres(Arc<postgres::Server>),
}

impl Db {
    /// Opens `url`: `sqlite:PATH`, `sqlite::memory:` or `postgres://…`. PostgreSQL need not be
    /// reachable yet. `connections` bounds the pool.
    ///
    /// # Errors
    /// [`StoreError::Url`] if the address cannot be used; [`StoreError::Database`] if the SQLite
    /// file cannot be opened.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StoreError> {
        Self::connect_within(url, connections, 0).await
    }

    /// The same, where a SQLite file with its write-ahead log may grow to `max_mib` mebibytes; 0 for no
    /// limit. Beyond, what needs more is refused as on a full disk.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub async fn connect_within(
        url: &str,
        connections: u32,
        max_mib: u32,
    ) -> Result<Self, StoreError> {
        if url == "sqlite::memory:" {
            return Self::in_memory().await;
        }
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Self::sqlite(path, max_mib).await,
            Some(("postgres" | "postgresql", _)) => Self::postgres(url, connections),
            _ => Err(StoreError::Url { url: without_password(url), why: "unknown kind".into() }),
        }
    }

    async fn sqlite(path: &str, max_mib: u32) -> Result<Self, StoreError> {
        let path = path.trim_start_matches("//");
        let mut options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        if max_mib > 0 {
            let pages = u64::from(max_mib) * (1 << 20) / u64::from(PAGE_BYTES);
            options = options.page_size(PAGE_BYTES).pragma("max_page_count", pages.to_string());
        }
        let pool = SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(None);
        let writer = pool.clone().max_connections(1).connect_with(options.clone()).await;
        let writer = writer.map_err(StoreError::sqlx)?;
        let readers = pool
            .max_connections(SQLITE_READERS)
            .connect_lazy_with(options.pragma("query_only", "on"));
        let bound = (max_mib > 0).then(|| Arc::new(Bound::new(path, max_mib)));
        Ok(Self(Pools::Sqlite { writer, readers, bound }))
    }

    /// One connection reads and writes: for tests and simulations, which take turns.
    async fn in_memory() -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // A thread of ours does not go away.
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(StoreError::sqlx)?;
        Ok(Self(Pools::Sqlite { writer: pool.clone(), readers: pool, bound: None }))
    }

    fn postgres(url: &str, connections: u32) -> Result<Self, StoreError> {
        match postgres::Server::at(url, connections) {
            Ok(server) => Ok(Self(Pools::Postgres(Arc::new(server)))),
            Err(why) => Err(StoreError::Url { url: without_password(url), why }),
        }
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.0 {
            Pools::Sqlite { .. } => Kind::Sqlite,
            Pools::Postgres(_) => Kind::Postgres,
        }
    }

    /// Brings the schema up to date. Migrations that this binary does not know are left alone, so
    /// that an older binary starts on a newer schema.
    ///
    /// # Errors
    /// [`StoreError::Migrate`] if a migration fails or was changed after it ran,
    /// [`StoreError::MigrationOrder`] if the versions do not rise.
    pub async fn migrate(&self, migrations: Migrations) -> Result<(), StoreError> {
        match &self.0 {
            Pools::Sqlite { writer, .. } => migrator(&migrations.sqlite)?.run(writer).await,
            Pools::Postgres(server) => {
                let mut connection = server.options.connect().await.map_err(StoreError::sqlx)?;
                migrator(&migrations.postgres)?.run(&mut connection).await
            }
        }
        .map_err(StoreError::migrate)
    }

    /// Whether it answers and takes changes.
    ///
    /// # Errors
    /// If it does not; [`StoreError::ReadOnly`] if it only answers.
    pub async fn require_writable(&self) -> Result<(), StoreError> {
        match &self.0 {
            Pools::Sqlite { writer, readers, bound } => {
                if let Some(bound) = bound {
                    bound.require_room(writer).await?;
                }
                tx::fetch_sqlite(readers, "select 1", Vec::new()).await.map(drop)
            }
            Pools::Postgres(server) => server.require_writable().await,
        }
    }

    /// Whether a connection to PostgreSQL keeps its session, as prepared statements and settings need it.
    ///
    /// # Errors
    /// [`StoreError::Pooled`] where a pooler gives each transaction another one.
    pub async fn require_sessions(&self) -> Result<(), StoreError> {
        match &self.0 {
            Pools::Sqlite { .. } => Ok(()),
            Pools::Postgres(server) => server.require_sessions().await,
        }
    }

    /// Begins a transaction that may write (`BEGIN IMMEDIATE` in SQLite, READ COMMITTED in
    /// PostgreSQL). Dropped without [`Tx::commit`], it rolls back.
    ///
    /// # Errors
    /// If no connection can be had.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match &self.0 {
            Pools::Sqlite { writer, bound, .. } => {
                if let Some(bound) = bound {
                    bound.require_room(writer).await?;
                }
                tx::On::Sqlite(begin_sqlite(writer).await?)
            }
            Pools::Postgres(server) => tx::On::Postgres(server.begin("begin").await?),
        }
        .into())
    }

    /// Reads outside any transaction.
    ///
    /// # Errors
    /// If the database refuses the query or is away.
    pub async fn fetch(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        match &self.0 {
            Pools::Sqlite { readers, .. } => tx::fetch_sqlite(readers, sql, values).await,
            Pools::Postgres(server) => server.fetch(sql, parameters(values)).await,
        }
    }

    /// The record under this key, without locking it.
    ///
    /// # Errors
    /// If the database is away or a column holds what it should not.
    pub async fn find<R: Record>(&self, key: R::Key) -> Result<Option<R>, StoreError> {
        let table = R::TABLE;
        let (names, key_name) = (table.names(), table.key().name);
        let sql = format!("select {names} from {} where {key_name} = $1", table.name);
        self.fetch(&sql, vec![key.into()]).await?.first().map(R::read).transpose()
    }

    /// Records in the order of their keys: those after `after`, at most `limit`.
    ///
    /// # Errors
    /// As [`Db::find`].
    pub async fn page<R: Record>(
        &self,
        after: Option<R::Key>,
        limit: i64,
    ) -> Result<Vec<R>, StoreError> {
        let table = R::TABLE;
        let (names, key) = (table.names(), table.key().name);
        let mut values = vec![Value::Int(limit)];
        let filter = after.map_or(String::new(), |after| {
            values.push(after.into());
            format!("where {key} > $2")
        });
        let sql = format!("select {names} from {} {filter} order by {key} limit $1", table.name);
        self.fetch(&sql, values).await?.iter().map(R::read).collect()
    }

    /// Closes the pool after the work in hand.
    pub async fn close(&self) {
        match &self.0 {
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(server) => server.close(),
        }
    }
}

/// A COMMIT that finds the disk full is rolled back by SQLite itself. Its client misses that: it believes to
/// be within a transaction for ever after, so it has to go.
async fn begin_sqlite(
    writer: &SqlitePool,
) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, StoreError> {
    let begun = match writer.begin_with(BEGIN).await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            let stuck = writer.acquire().await.map_err(StoreError::sqlx)?;
            stuck.close().await.map_err(StoreError::sqlx)?;
            writer.begin_with(BEGIN).await
        }
        begun => begun,
    };
    begun.map_err(StoreError::sqlx)
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => {
            format!("{}…{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn an_address_in_an_error_shows_no_password() {
        assert_eq!(without_password("postgres://me:secret@host/db"), "postgres://…@host/db");
        assert_eq!(without_password("mysql://host/db"), "mysql://host/db");
    }
}
