use clock::{SystemClock, SystemRandom, uuid_v7};
use store::{Db, Migrations};
use tempfile::TempDir;

use crate::server;

/// Connections of one pool on PostgreSQL.
const CONNECTIONS: u32 = 8;

/// An empty database of its own, gone when this is dropped.
pub struct Database {
    kind: &'static str,
    place: Place,
}

enum Place {
    /// One connection, which is the database.
    Memory(Db),
    File(TempDir),
    Server {
        server: String,
        name: String,
    },
}

/// What a test of the store or the engine runs on: SQLite in memory, SQLite in a file and, where
/// `QUINTET_TEST_POSTGRES` names a server, PostgreSQL.
///
/// # Panics
/// If one cannot be had, or the server is required and not named.
pub async fn databases() -> Vec<Database> {
    let mut databases = vec![Database::in_memory().await, Database::in_a_file()];
    databases.extend(Database::on_postgres().await);
    databases
}

impl Database {
    /// SQLite in memory: one connection, so nothing can read beside an open transaction.
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
    /// If there can be none.
    #[must_use]
    pub fn in_a_file() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { kind: "SQLite in a file", place: Place::File(directory) }
    }

    /// PostgreSQL, where a server is named.
    ///
    /// # Panics
    /// If the server is required and not named, or does not let us create a database.
    pub async fn on_postgres() -> Option<Self> {
        let server = server::postgres()?.trim_end_matches('/').to_owned();
        let name = format!("quintet_test_{}", uuid_v7(&SystemClock, &SystemRandom).simple());
        run(&server, &format!("create database {name}")).await.expect("a database is created");
        Some(Self { kind: "PostgreSQL", place: Place::Server { server, name } })
    }

    /// What it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Its address.
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

    /// Opens it, as one more process would (in memory: the one there is).
    ///
    /// # Panics
    /// If it cannot be opened.
    pub async fn connect(&self) -> Db {
        match &self.place {
            Place::Memory(db) => db.clone(),
            _ => Db::connect(&self.url(), CONNECTIONS).await.expect("the database opens"),
        }
    }

    /// Opens it with this schema.
    ///
    /// # Panics
    /// If it cannot be opened or migrated.
    pub async fn migrated(&self, migrations: Migrations) -> Db {
        // A test that fails on one of several databases shows which it was.
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
        // Not in the test's own runtime, which may be ending. What fails is left behind.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(run(&server, &sql)))
        });
        let _ = dropping.join();
    }
}

/// Outside any transaction, as databases have to be created and dropped.
async fn run(server: &str, sql: &str) -> Result<(), store::StoreError> {
    let db = Db::connect(&format!("{server}/postgres"), 1).await?;
    db.fetch(sql, Vec::new()).await?;
    db.close().await;
    Ok(())
}
