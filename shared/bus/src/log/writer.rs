//! The one writing connection of this process, and the lock that keeps the processes apart.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use super::{schema, wake, wal};
use crate::BusError;

/// The one writing connection of this process.
pub(super) struct Writer {
    path: PathBuf,
    max_wal_bytes: u64,
    connection: SqliteConnection,
    lock: Arc<File>,
    wake: File,
}

impl Writer {
    pub(super) async fn open(path: &Path, max_wal_bytes: u64) -> Result<Self, BusError> {
        let lock = Arc::new(open_beside(path, "lock")?);
        let wake = open_beside(path, "wake")?;
        let _held = FileLock::acquire(&lock).await?;
        let connection = schema::writer(path).await?;
        Ok(Self { path: path.to_owned(), max_wal_bytes, connection, lock, wake })
    }

    /// Waits for this process's turn and opens a transaction. Refuses one that would let the write-ahead
    /// log grow beyond its limit.
    pub(super) async fn begin(&mut self) -> Result<Turn<'_>, BusError> {
        let lock = FileLock::acquire(&self.lock).await?;
        wal::require_room(&self.path, self.max_wal_bytes).await?;
        let transaction =
            self.connection.begin_with("begin immediate").await.map_err(BusError::db)?;
        Ok(Turn { transaction, wake: &self.wake, _lock: lock })
    }
}

/// A transaction under the lock file; rolled back unless committed.
pub(super) struct Turn<'a> {
    // Before the lock: it is dropped, and so rolled back, first.
    transaction: Transaction<'a, Sqlite>,
    wake: &'a File,
    _lock: FileLock,
}

impl Turn<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Commits, without a word to the readers.
    pub(super) async fn commit(self) -> Result<(), BusError> {
        self.transaction.commit().await.map_err(BusError::db)
    }

    /// Commits and wakes the readers of all processes.
    pub(super) async fn commit_and_ring(self) -> Result<(), BusError> {
        let wake = self.wake;
        self.commit().await?;
        if let Err(error) = wake::ring(wake) {
            // The records are safe; readers find them at their next poll.
            tracing::warn!(%error, "the log's readers could not be woken");
        }
        Ok(())
    }
}

/// The lock file, held. `SQLite`'s own waiting is unfair: under load a writer starves for long.
struct FileLock(Arc<File>);

impl FileLock {
    async fn acquire(file: &Arc<File>) -> Result<Self, BusError> {
        let file = Arc::clone(file);
        // The guard is made inside: if this future is dropped, the lock that the thread gets later
        // is released all the same.
        let held = tokio::task::spawn_blocking(move || file.lock().map(|()| Self(file))).await;
        match held {
            Ok(Ok(guard)) => Ok(guard),
            Ok(Err(error)) => Err(BusError::io("taking the log's lock file", error)),
            Err(stopped) => Err(BusError::Unavailable {
                reason: format!("this process is stopping: {stopped}"),
            }),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::error!(%error, "the log's lock file could not be released");
        }
    }
}

/// Opens `PATH.suffix`, creating it where it is missing.
pub(super) fn open_beside(path: &Path, suffix: &str) -> Result<File, BusError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&name)
        .map_err(|error| BusError::io(format!("opening {}", name.display()), error))
}
