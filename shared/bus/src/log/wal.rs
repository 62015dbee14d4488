//! Limits the size of the file's write-ahead log (WAL).
//!
//! `SQLite` appends each commit to the WAL and, by itself, moves it into the file. While another program reads
//! the file, `SQLite` cannot move what that reader still needs, so the WAL grows without end.

use std::path::Path;
use std::time::Duration;

use sqlx::Connection;

use super::schema;
use crate::BusError;

/// How long emptying the WAL waits for short readers before a reader counts as keeping it.
const READERS_END_WITHIN: Duration = Duration::from_millis(500);
const MIB: u64 = 1 << 20;

/// Succeeds if the WAL of the file at `path` has at most `max_bytes`, after emptying it if it has more. The
/// caller holds the lock file.
pub(super) async fn require_room(path: &Path, max_bytes: u64) -> Result<(), BusError> {
    if bytes(path) <= max_bytes {
        return Ok(());
    }
    // Another connection than the writer's, which would wait for readers for longer.
    let mut connection = schema::writing(path, READERS_END_WITHIN).await?;
    sqlx::query("pragma wal_checkpoint(truncate)")
        .execute(&mut connection)
        .await
        .map_err(BusError::db)?;
    connection.close().await.map_err(BusError::db)?;
    let bytes = bytes(path);
    if bytes <= max_bytes {
        return Ok(());
    }
    let (file, mib, max_mib) = (path.display(), bytes / MIB, max_bytes / MIB);
    let reason = format!(
        "{file}-wal has {mib} MiB and may have {max_mib} MiB: another program reads {file} and keeps \
         the write-ahead log from being emptied; end that program (a shell, a backup, a service that \
         hangs)"
    );
    Err(BusError::Unavailable { reason })
}

/// The size of the WAL in bytes; 0 if there is none.
fn bytes(path: &Path) -> u64 {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    std::fs::metadata(name).map_or(0, |file| file.len())
}
