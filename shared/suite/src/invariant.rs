//! The invariants of a saga, which `audit` checks.

use crate::rest::Rows;
use std::fmt;

/// Returns a line for each violation of an invariant.
type Check = dyn Fn(&Rows) -> Vec<String> + Send + Sync;

/// A statement about the rows of a suite that must hold whenever the suite is at rest.
pub(crate) struct Invariant {
    pub(crate) name: &'static str,
    check: Box<Check>,
}

impl Invariant {
    pub(crate) fn new(
        name: &'static str,
        check: impl Fn(&Rows) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        Self { name, check: Box::new(check) }
    }

    /// The violations, a line each.
    pub(crate) fn offences(&self, rows: &Rows) -> Vec<String> {
        (self.check)(rows)
    }
}

impl fmt::Debug for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Invariant").field(&self.name).finish()
    }
}
