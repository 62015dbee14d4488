//! The engine that every service runs: one transaction per batch.
//!
//! A service is a pure function over its rows ([`Participant::react`]). The engine takes the inputs that wait (events,
//! commands, outcomes of effects, alarms), applies them in one transaction together with the inbox, the outbox, and the
//! effects and alarms that follow ([`Engine::apply_batch`]). Only after the commit does it answer commands, store
//! offsets, and let events and requests leave the process.
//!
//! The rooms, each of which imports only those above it:
//!
//! | room | what it holds |
//! |---|---|
//! | `participant`, `reaction`, `work`, … | what a service implements and receives; errors, settings, clock readings |
//! | `faults` | crash points and injected bugs, for tests |
//! | `telemetry` | metrics, spans, trace context |
//! | `effects`, `alarms`, `dead_letters`, `outbox` | a table each, with the loop's step that works on it |
//! | `batch` | the pipeline and its retry loop |
//! | `upkeep` | status, readiness, operators' requests, pruning |
//! | `input` | where inputs come from |
//! | `runtime` | the loops |
//!
//! The engine is driven in steps, each awaited to its end: [`Engine::apply_batch`], [`Relay::step`],
//! [`EffectRunner::step`], [`Alarms::step`], [`Replays::step`], [`Pruner::step`]. [`Runtime::run`] repeats them
//! until it is told to stop. A simulator calls them in an order of its own.

mod aggregate;
mod alarms;
mod applied;
mod batch;
mod bus_identity;
mod claim;
mod dead_letters;
mod depth;
mod effects;
mod fatal;
mod faults;
mod input;
mod outbox;
mod outside;
mod participant;
mod reaction;
mod reason;
mod resolution;
mod runtime;
mod settings;
mod shutdown;
mod telemetry;
mod upkeep;
mod work;

pub use aggregate::AggregateField;
pub use alarms::Alarms;
pub use applied::{Applied, BatchError, UnconfirmedAnswers};
pub use batch::Engine;
pub use dead_letters::{Poison, Raw, Replays, Unreadable};
pub use depth::Depth;
pub use effects::EffectRunner;
pub use fatal::Fatal;
#[cfg(feature = "injected-bugs")]
pub use faults::injected_bugs;
pub use input::{Chunk, Commands, chunk};
pub use outbox::{Relay, RelayError, Sent};
pub use outside::{Attempt, NoEffects, Outside};
pub use participant::{
    Alarm, Effect, Input, Key, Never, Participant, Reply, What, group, subscription,
};
pub use reaction::{Emitted, Reaction};
pub use reason::{Cause, Reason};
pub use resolution::{Impossible, Resolution};
pub use runtime::{Runtime, Surroundings};
pub use settings::{EngineOptions, Messaging, Settings};
pub use telemetry::{Metrics, trace};
pub use upkeep::{
    DeadLetter, DeadLetterGroup, DeadLetterQueue, DeadLetterQueueSummary, DeadLetters, Discarded,
    EffectPage, EffectView, PostponedInput, PruneError, Pruner, Queues, Replaying, ResolveError,
    Status,
};
pub use work::{Answer, CommandError, IdempotencyKey, Origin, Pending, Replay, Work};

/// Whether this thread runs with the bug of this name, which a simulation has injected ([`injected_bugs`]). Always
/// false without the feature `injected-bugs`.
#[cfg(feature = "injected-bugs")]
#[macro_export]
macro_rules! inject_bug {
    ($name:ident) => {
        $crate::injected_bugs::is_injected(stringify!($name))
    };
}

/// Whether this thread runs with the bug of this name. Always false without the feature `injected-bugs`.
#[cfg(not(feature = "injected-bugs"))]
#[macro_export]
macro_rules! inject_bug {
    ($name:ident) => {
        false
    };
}

/// A point at which a test can have the process die. Without the feature `crash-points` it expands to nothing.
#[cfg(feature = "crash-points")]
macro_rules! crash_point {
    ($point:ident, $what:expr) => {
        $crate::faults::crash_points::pass(crash::Point::$point, $what)
    };
}

/// A point at which a test can have the process die. Without the feature `crash-points` it expands to nothing.
#[cfg(not(feature = "crash-points"))]
macro_rules! crash_point {
    ($point:ident, $what:expr) => {};
}

pub(crate) use crash_point;

/// The engine's own tables, versions 1 to 999; a service's follow from 1000.
#[must_use]
pub fn migrations() -> store::Migrations {
    store::migrations!("migrations")
}
