//! Tests of today's consumers with every released record, and with malformed input.
//!
//! `golden/` has records of every event version ever released, and the reaction of each consumer to them. `fuzz/`
//! has malformed records and HTTP requests.

use std::path::Path;

pub use quintet_test::golden::{Golden, Record};

/// A service of the order saga that consumes records.
pub type Consumer<S> = quintet_test::golden::Consumer<S, saga::OrderSaga>;

/// All golden records of the order saga.
///
/// # Panics
/// If the folder cannot be read, or has other files.
#[must_use]
pub fn golden() -> Vec<Golden> {
    quintet_test::golden::golden::<contracts::Event>(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"),
    )
}
