//! Databases for tests.

use clock::{SystemClock, SystemRandom, uuid_v7};
use store::{Db, Migrations};
use tempfile::TempDir;

use crate::server;

/// The connections of a pool to PostgreSQL.
const CONNECTIONS: u32 = 8;

/// An empty database for one test. It is deleted when this is dropped.
pub struct Database {
    kind: &'static str,
    place: Place,
}

enum Place {
    /// A database in memory, which exists as long as its one connection.
    Memory(Db),
    File(TempDir),
    Server {
        server: String,
        name: String,
    },
}

/// The databases for tests of the store and the engine: SQLite in memory, SQLite in a file and, if `QUINTET_TEST_POSTGRES`
/// names a server, PostgreSQL.
///
/// # Panics
/// If a database cannot be created, or the server is required and not named.
pub async fn databases() -> Vec<Database> {
    let mut databases = vec![Database::in_memory().await, Database::in_a_file()];
    databases.extend(Database::on_postgres().await);
    databases
}

impl Database {
    /// SQLite in memory. It has one connection, so that no query can run beside an open transaction.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub async fn in_memory() -> Self {
        let db = Db::connect("sqlite::memory:", 1).await.expect("a database in memory");
        Self { kind: "SQLite in memory", place: Place::Memory(db) }
    }

    /// SQLite in a temporary directory.
    ///
    /// # Panics
    /// If the directory cannot be created.
    #[must_use]
    pub fn in_a_file() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { kind: "SQLite in a file", place: Place::File(directory) }
    }

    /// PostgreSQL; `None` if no server is named.
    ///
    /// # Panics
    /// If the server is required and not named, or refuses to create a database.
    pub async fn on_postgres() -> Option<Self> {
        let server = server::postgres()?.trim_end_matches('/').to_owned();
        let name = format!("quintet_test_{}", uuid_v7(&SystemClock, &SystemRandom).simple());
        run(&server, &format!("create database {name}")).await.expect("a database is created");
        Some(Self { kind: "PostgreSQL", place: Place::Server { server, name } })
    }

    /// The kind of database, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.place {
            Place::Memory(_) => "sqlite::memory:".into(),
            Place::File(directory) => {
                format!("sqlite:{}", directory.path().join("test.db").display())
            }
            Place::Server { server, name } => format!("{server}/{name}"),
        }
    }

    /// Opens the database with new connections, as another process would. A database in memory has only its one connection.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub async fn connect(&self) -> Db {
        match &self.place {
            Place::Memory(db) => db.clone(),
            _ => Db::connect(&self.url(), CONNECTIONS).await.expect("the database opens"),
        }
    }

    /// Opens and migrates the database.
    ///
    /// # Panics
    /// If it cannot be opened or migrated.
    pub async fn migrated(&self, migrations: Migrations) -> Db {
        // The output of a test that fails on one of several databases shows on which.
        eprintln!("on {}: {}", self.kind, self.url());
        let db = self.connect().await;
        db.migrate(migrations).await.expect("the database is migrated");
        db
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Server { server, name } = &self.place else {
            return;
        };
        let (server, sql) =
            (server.clone(), format!("drop database if exists {name} with (force)"));
        // A thread of its own, because the test's runtime may be ending. A database that cannot be dropped is left behind.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(run(&server, &sql)))
        });
        let _ = dropping.join();
    }
}

/// Runs a statement without a transaction, as is required for creating and dropping databases.
async fn run(server: &str, sql: &str) -> Result<(), store::StoreError> {
    let db = Db::connect(&format!("{server}/postgres"), 1).await?;
    db.fetch(sql, Vec::new()).await?;
    db.close().await;
    Ok(())
}
