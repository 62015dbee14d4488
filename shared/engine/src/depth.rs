//! How much waits in a queue table, and for how long.

use jiff::Timestamp;
use serde::Serialize;
use store::{Row, StoreError};
use utoipa::ToSchema;

/// How many rows a queue table holds, and how old the oldest is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Depth {
    /// Rows.
    pub depth: i64,
    /// Age of the oldest, in seconds; 0 where there is none. For alarms: for how long it has been
    /// due.
    pub oldest_seconds: f64,
}

/// The rows of a queue, read through the index of their key. PostgreSQL then visits a deleted row once, and marks it as
/// dead in the index. A scan of the table would visit all deleted rows again until a vacuum.
pub(crate) fn by_id(table: &str, columns: &str) -> String {
    format!("(select {columns} from {table} order by id) as queued")
}

pub(crate) fn read_depth(row: Option<&Row>, now: Timestamp) -> Result<Depth, StoreError> {
    let Some(row) = row else { return Ok(Depth { depth: 0, oldest_seconds: 0.0 }) };
    let oldest: Option<Timestamp> = row.get(1)?;
    let age = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
    Ok(Depth { depth: row.get(0)?, oldest_seconds: age })
}
