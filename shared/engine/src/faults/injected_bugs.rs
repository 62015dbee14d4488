//! Bugs that are injected on purpose, to show that a simulation finds them. Without the feature `injected-bugs` this
//! module is not compiled.

use std::cell::Cell;

/// A bug that [`crate::inject_bug!`] puts into the code where it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InjectedBug {
    /// Its name, as given to the macro.
    pub name: &'static str,
    /// What the bug does wrong.
    pub what: &'static str,
}

/// Lists bugs: `injected_bugs!(UndoForgotten: "a charge that is under way is not undone")`.
#[macro_export]
macro_rules! injected_bugs {
    ($($name:ident: $what:literal),* $(,)?) => {
        &[$($crate::injected_bugs::InjectedBug { name: stringify!($name), what: $what }),*]
    };
}

/// The bugs of the engine. A saga lists its own beside them.
pub const ENGINE: &[InjectedBug] = injected_bugs!(
    InboxApart: "the inbox is entered in a transaction of its own",
    DualWrite: "the outbox is written in a transaction of its own",
    StaleFold: "each input of a batch sees the rows as they were before the batch",
    OutcomeTwice: "outcomes and alarms are not deduplicated",
    OffsetsFirst: "offsets reach the broker before the commit",
    RelaySkips: "the relay goes on after a failed send",
    DeletedUnsent: "the outbox is deleted before the broker's report",
    KeyPerAttempt: "each attempt has an idempotency key of its own",
);

thread_local! {
    static INJECTED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

impl InjectedBug {
    /// From now on this thread runs with this bug, or with none.
    pub fn inject(bug: Option<Self>) {
        INJECTED.set(bug.map(|bug| bug.name));
    }
}

/// Whether this thread runs with the bug of this name.
#[must_use]
pub fn is_injected(name: &str) -> bool {
    INJECTED.get() == Some(name)
}
