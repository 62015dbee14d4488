//! The contract against today's consumers.
//!
//! `golden/` holds records of every event version ever released, with what each consumer does in
//! answer beside them; `fuzz/` holds what nobody should send, over the broker or over HTTP.

use std::path::Path;

pub use quintet_test::golden::{Golden, Record};

/// A service of the order saga that hears records.
pub type Consumer<S> = quintet_test::golden::Consumer<S, saga::OrderSaga>;

/// All golden records of the order saga.
///
/// # Panics
/// If the folder cannot be read, or holds something else.
#[must_use]
pub fn golden() -> Vec<Golden> {
    quintet_test::golden::golden::<contracts::Event>(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"),
    )
}
