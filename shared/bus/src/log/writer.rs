//! The one writing connection of this process, and the lock file that lets one process write at a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use super::{schema, wake_ups, wal};
use crate::BusError;

/// The one writing connection of this process.
pub(super) struct Writer {
    path: PathBuf,
    max_wal_bytes: u64,
    connection: SqliteConnection,
    lock: Arc<File>,
    /// The file that readers watch.
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

    /// Waits for the lock file and begins a transaction. Fails if the write-ahead log is beyond its limit.
    pub(super) async fn begin(&mut self) -> Result<WriteTransaction<'_>, BusError> {
        let lock = FileLock::acquire(&self.lock).await?;
        wal::require_room(&self.path, self.max_wal_bytes).await?;
        let transaction =
            self.connection.begin_with("begin immediate").await.map_err(BusError::db)?;
        Ok(WriteTransaction { transaction, wake: &self.wake, _lock: lock })
    }
}

/// A transaction that holds the lock file. It is rolled back unless it is committed.
pub(super) struct WriteTransaction<'a> {
    // Declared before the lock, so that it is dropped, and so rolled back, before the lock is released.
    transaction: Transaction<'a, Sqlite>,
    wake: &'a File,
    _lock: FileLock,
}

impl WriteTransaction<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Commits without waking readers, for changes that are no records.
    pub(super) async fn commit(self) -> Result<(), BusError> {
        self.transaction.commit().await.map_err(BusError::db)
    }

    /// Commits and wakes the readers of all processes.
    pub(super) async fn commit_and_wake(self) -> Result<(), BusError> {
        let wake = self.wake;
        self.commit().await?;
        if let Err(error) = wake_ups::wake_readers(wake) {
            // The records are committed. Readers find them at their next poll.
            tracing::warn!(%error, "the log's readers could not be woken");
        }
        Ok(())
    }
}

/// The held lock file. `SQLite` could make writers wait by itself, but not in order: under load some would wait
/// for long.
struct FileLock(Arc<File>);

impl FileLock {
    async fn acquire(file: &Arc<File>) -> Result<Self, BusError> {
        let file = Arc::clone(file);
        // The guard is made on the thread: if this future is dropped, the thread still gets the lock later,
        // and the guard releases it.
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

/// Opens `PATH.suffix`, and creates it if it does not exist.
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
