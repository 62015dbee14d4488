//! The exit codes of a service: whether a supervisor should start it again. The documentation of `run.rs` has
//! them as a table.

use std::process::ExitCode;

use engine::Fatal;
use store::StoreError;

/// Another start may succeed.
const FAILED: u8 = 1;
/// Another start ends in the same way: `EX_USAGE` of sysexits.h.
pub(crate) const REFUSED: u8 = 64;
/// The next events are not at the broker: `EX_DATAERR` of sysexits.h. A start that passed over them would lose
/// them silently.
const OUT_OF_REACH: u8 = 65;

/// The exit code of a service that this error has ended.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(match error.downcast_ref() {
        Some(
            Fatal::Missed { .. }
            | Fatal::Ahead { .. }
            | Fatal::Forgotten { .. }
            | Fatal::Stranger { .. }
            | Fatal::Unread { .. },
        ) => OUT_OF_REACH,
        // The broker refuses for good.
        Some(Fatal::Bus(_)) => REFUSED,
        None if names_an_unusable_database(error) => REFUSED,
        None => FAILED,
    })
}

/// Whether `database.url` names no database at all, or a pooler that gives each transaction another session.
fn names_an_unusable_database(error: &anyhow::Error) -> bool {
    let url_or_pooler =
        |error: &StoreError| matches!(error, StoreError::Url { .. } | StoreError::Pooled);
    error.downcast_ref().is_some_and(url_or_pooler)
}
