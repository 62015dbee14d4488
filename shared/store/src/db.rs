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

/// How long a caller waits for a connection before the database counts as unavailable.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for a writer of another process (a backup, a shell).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Takes SQLite's write lock at once. A transaction that begins as a reader may fail when it turns to writing.
const BEGIN: &str = "BEGIN IMMEDIATE";
/// SQLite's default page size. Its limit on the size of a file counts pages.
const PAGE_BYTES: u32 = 4096;
/// Reading connections beside SQLite's one writing connection.
const SQLITE_READERS: u32 = 4;

/// The kind of database that a [`Db`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DbKind {
    /// One file, one writer.
    Sqlite,
    /// A server, shared by replicas.
    Postgres,
}

impl DbKind {
    /// An SQL expression for the database's own time in microseconds since the Unix epoch. It is the one clock
    /// that all replicas share.
    #[must_use]
    pub fn clock(self) -> &'static str {
        match self {
            Self::Sqlite => "cast(unixepoch('subsec') * 1000000 as integer)",
            Self::Postgres => "(extract(epoch from clock_timestamp()) * 1000000)::bigint",
        }
    }
}

/// A database of either kind. Clones are cheap and share the connections.
#[derive(Debug, Clone)]
pub struct Db(pub(crate) Pools);

/// The connections to a database.
#[derive(Debug, Clone)]
pub(crate) enum Pools {
    /// SQLite in WAL mode with `synchronous=FULL`: one writer, readers beside it.
    Sqlite {
        /// The only connection that writes. Writers queue for it, and each gets its turn.
        writer: SqlitePool,
        /// Connections that only read.
        readers: SqlitePool,
        /// The limit on the size of the file and its write-ahead log.
        bound: Option<Arc<Bound>>,
    },
    /// PostgreSQL.
    Postgres(Arc<postgres::Server>),
}

impl Db {
    /// Opens `url`: `sqlite:PATH`, `sqlite::memory:` or `postgres://…`. PostgreSQL need not be
    /// reachable yet. The pool to PostgreSQL has at most `connections` connections.
    ///
    /// # Errors
    /// [`StoreError::Url`] if the address cannot be used; [`StoreError::Database`] if the SQLite
    /// file cannot be opened.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StoreError> {
        Self::connect_within(url, connections, 0).await
    }

    /// As [`Db::connect`], with a limit: a SQLite file and its write-ahead log may grow to `max_mib` mebibytes
    /// together; 0 means no limit. At the limit writes fail as on a full disk.
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
            _ => Err(StoreError::Url {
                url: without_password(url),
                why: "the kind of database is unknown".into(),
            }),
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

    /// A database in memory, with one connection that reads and writes. It is for tests and simulations, where
    /// no two tasks need a connection at a time.
    async fn in_memory() -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // The database is a thread of this process, so its connection cannot break.
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

    /// The kind of this database.
    #[must_use]
    pub fn kind(&self) -> DbKind {
        match &self.0 {
            Pools::Sqlite { .. } => DbKind::Sqlite,
            Pools::Postgres(_) => DbKind::Postgres,
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

    /// Succeeds if the database answers and accepts writes.
    ///
    /// # Errors
    /// If it does not. [`StoreError::ReadOnly`] if it answers but accepts no writes.
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

    /// Succeeds if each connection to PostgreSQL keeps its session, which prepared statements and settings need.
    ///
    /// # Errors
    /// [`StoreError::Pooled`] if a pooler gives each transaction another session.
    pub async fn require_sessions(&self) -> Result<(), StoreError> {
        match &self.0 {
            Pools::Sqlite { .. } => Ok(()),
            Pools::Postgres(server) => server.require_sessions().await,
        }
    }

    /// Begins a transaction that may write (`BEGIN IMMEDIATE` in SQLite, READ COMMITTED in
    /// PostgreSQL). If it is dropped without [`Tx::commit`], it is rolled back.
    ///
    /// # Errors
    /// If no connection is available.
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
    /// If the database refuses the query or is unavailable.
    pub async fn fetch(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        match &self.0 {
            Pools::Sqlite { readers, .. } => tx::fetch_sqlite(readers, sql, values).await,
            Pools::Postgres(server) => server.fetch(sql, parameters(values)).await,
        }
    }

    /// The record under this key, without locking it.
    ///
    /// # Errors
    /// If the database is unavailable, or a column holds a value that its type does not take.
    pub async fn find<R: Record>(&self, key: R::Key) -> Result<Option<R>, StoreError> {
        let table = R::TABLE;
        let (names, key_name) = (table.names(), table.key().name);
        let sql = format!("select {names} from {} where {key_name} = $1", table.name);
        self.fetch(&sql, vec![key.into()]).await?.first().map(R::read).transpose()
    }

    /// The first `limit` records whose keys follow `after`, in the order of their keys.
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

    /// Closes the connections, each once its current user has returned it.
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

/// Begins a transaction, on a new connection if the old one cannot begin any more. When a COMMIT finds the disk
/// full, SQLite itself rolls back. Its client does not notice, believes that the transaction is still open, and
/// refuses every later BEGIN; so the connection has to be replaced.
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
