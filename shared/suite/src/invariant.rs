//! What must hold of a suite at rest.

use crate::rest::Rows;
use std::fmt;

/// Answers what offends an invariant, a line each.
type Check = dyn Fn(&Rows) -> Vec<String> + Send + Sync;

/// What must hold of the rows of a suite at rest.
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

    /// What offends it, a line each.
    pub(crate) fn offences(&self, rows: &Rows) -> Vec<String> {
        (self.check)(rows)
    }
}

impl fmt::Debug for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Invariant").field(&self.name).finish()
    }
}
