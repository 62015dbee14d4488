//! The invariants of a simulation.

use std::fmt;

use super::Snapshot;

/// When an invariant is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// When the run has come to rest.
    AtRest,
    /// After each step.
    EachStep,
    /// After each batch of this service.
    EachBatchOf(&'static str),
}

/// Checks a snapshot; the error says what is wrong.
type Check<P, W> = dyn Fn(&Snapshot<'_, P, W>) -> Result<(), String> + Send + Sync;

/// An invariant of a saga.
pub(crate) struct Invariant<P, W> {
    pub(crate) name: &'static str,
    pub(crate) when: When,
    pub(crate) check: Box<Check<P, W>>,
}

/// An invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the invariant; [`Failure::STOPPED`] if a service cannot go on.
    pub invariant: &'static str,
    /// What is wrong.
    pub what: String,
}

impl Failure {
    /// The name of the implicit invariant that every service can go on.
    pub const STOPPED: &'static str = "stopped";
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}
