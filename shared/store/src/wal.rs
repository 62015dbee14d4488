//! Limits the size of a SQLite file together with its write-ahead log (WAL).
//!
//! SQLite appends each commit to the WAL and, by itself, moves it into the file every few megabytes. While
//! another program reads the file, SQLite cannot move what that reader still needs, so the WAL grows without end.
//! [`Bound::require_room`] runs before each writing transaction. At the limit it tries to empty the WAL, and
//! refuses the transaction if a reader prevents that.

use std::fs;

use sqlx::SqlitePool;

use crate::StoreError;

const MIB: u64 = 1 << 20;
/// The size that the WAL may always have: twice the size at which SQLite empties it by itself.
const ALWAYS_ALLOWED: u64 = 8 * MIB;
/// How long emptying the WAL waits for short readers before a reader counts as keeping it.
const READERS_END_WITHIN: &str = "pragma busy_timeout = 500";
/// Restores the connection's own time-out; [`crate::Db`] sets the same.
const RESTORE_TIMEOUT: &str = "pragma busy_timeout = 5000";

/// The limit on the size of a SQLite file and its write-ahead log together.
#[derive(Debug)]
pub(crate) struct Bound {
    file: String,
    max_mib: u32,
}

impl Bound {
    pub(crate) fn new(file: &str, max_mib: u32) -> Self {
        Self { file: file.to_owned(), max_mib }
    }

    /// Succeeds if the limit leaves room for another transaction, after emptying the WAL if it has to.
    pub(crate) async fn require_room(&self, writer: &SqlitePool) -> Result<(), StoreError> {
        if !self.is_exceeded() {
            return Ok(());
        }
        Self::empty_log(writer).await.map_err(StoreError::sqlx)?;
        if self.is_exceeded() {
            let (file, max_mib) = (self.file.clone(), u64::from(self.max_mib));
            return Err(StoreError::LogNotEmptied {
                file,
                wal_mib: self.log_bytes() / MIB,
                max_mib,
            });
        }
        Ok(())
    }

    async fn empty_log(writer: &SqlitePool) -> Result<(), sqlx::Error> {
        let mut connection = writer.acquire().await?;
        sqlx::query(READERS_END_WITHIN).execute(&mut *connection).await?;
        let emptied =
            sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut *connection).await;
        sqlx::query(RESTORE_TIMEOUT).execute(&mut *connection).await?;
        emptied.map(drop)
    }

    fn is_exceeded(&self) -> bool {
        let log = self.log_bytes();
        log > ALWAYS_ALLOWED && log + size(&self.file) > u64::from(self.max_mib) * MIB
    }

    fn log_bytes(&self) -> u64 {
        size(&format!("{}-wal", self.file))
    }
}

/// The size of a file in bytes; 0 if there is no file.
fn size(path: &str) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
