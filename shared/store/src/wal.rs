//! The write-ahead log of a SQLite file counts against the file's limit.

use std::fs;

use sqlx::SqlitePool;

use crate::StoreError;

const MIB: u64 = 1 << 20;
/// What the log may have at any time: twice what SQLite lets it grow to before it empties it.
const ROOM: u64 = 8 * MIB;
/// How long readers that are about to end are waited for before the log counts as pinned.
const READERS_END_WITHIN: &str = "pragma busy_timeout = 500";
/// As the connection had it, see [`crate::Db`].
const AS_BEFORE: &str = "pragma busy_timeout = 5000";

/// What a SQLite file and its write-ahead log may grow to together.
#[derive(Debug)]
pub(crate) struct Bound {
    file: String,
    max_mib: u32,
}

impl Bound {
    pub(crate) fn new(file: &str, max_mib: u32) -> Self {
        Self { file: file.to_owned(), max_mib }
    }

    /// Goes on if there is room, after emptying the log where that makes some. SQLite empties it by
    /// itself, unless a reader still needs it: such a reader lets it grow without end.
    pub(crate) async fn require_room(&self, writer: &SqlitePool) -> Result<(), StoreError> {
        if !self.is_exceeded() {
            return Ok(());
        }
        Self::empty_log(writer).await.map_err(StoreError::sqlx)?;
        if self.is_exceeded() {
            let (file, max_mib) = (self.file.clone(), u64::from(self.max_mib));
            return Err(StoreError::Pinned { file, wal_mib: self.log_bytes() / MIB, max_mib });
        }
        Ok(())
    }

    async fn empty_log(writer: &SqlitePool) -> Result<(), sqlx::Error> {
        let mut connection = writer.acquire().await?;
        sqlx::query(READERS_END_WITHIN).execute(&mut *connection).await?;
        let emptied =
            sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut *connection).await;
        sqlx::query(AS_BEFORE).execute(&mut *connection).await?;
        emptied.map(drop)
    }

    fn is_exceeded(&self) -> bool {
        let log = self.log_bytes();
        log > ROOM && log + size(&self.file) > u64::from(self.max_mib) * MIB
    }

    fn log_bytes(&self) -> u64 {
        size(&format!("{}-wal", self.file))
    }
}

/// In bytes; nothing for a file that is not there.
fn size(path: &str) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
