use std::fmt;

use super::Snapshot;

/// When an invariant is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// When everything has come to rest.
    AtRest,
    /// After each step.
    EachStep,
    /// After each batch of this service.
    EachBatchOf(&'static str),
}

/// What must be so, or what is wrong otherwise.
type Check<P, W> = dyn Fn(&Snapshot<'_, P, W>) -> Result<(), String> + Send + Sync;

/// What must be so, by its name.
pub(crate) struct Invariant<P, W> {
    pub(crate) name: &'static str,
    pub(crate) when: When,
    pub(crate) check: Box<Check<P, W>>,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The invariant's name; [`Failure::STOPPED`] if a service cannot go on.
    pub invariant: &'static str,
    /// What is wrong.
    pub what: String,
}

impl Failure {
    /// The name of what no invariant says: that every service can go on.
    pub const STOPPED: &'static str = "stopped";
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}
