//! The loop that every service runs: one transaction per batch.
//!
//! A service is a pure function over its rows ([`Participant::react`]). The engine takes what is
//! waiting (events, commands, outcomes of effects, alarms), applies it in one transaction together
//! with the inbox, the outbox, the effects and alarms that follow from it ([`Engine::turn`]), and
//! only then answers, stores offsets, and lets events and requests leave the process.
//!
//! It is driven in steps, each awaited to its end: [`Engine::turn`], [`Relay::turn`],
//! [`EffectRunner::turn`], [`Alarms::turn`], [`Replays::turn`], [`Pruner::turn`]. [`Runtime::run`] turns them for ever.

mod acquainted;
mod aggregate;
mod alarms;
mod claim;
mod commands;
#[cfg(feature = "crash-points")]
mod crash_points;
mod dead_letters;
mod effects;
mod exclusive;
mod fold;
mod handoff;
mod idempotency;
mod inbox;
#[cfg(feature = "injected-bugs")]
pub mod injected_bugs;
mod intake;
mod lease;
mod loops;
mod outbox;
mod outside;
mod participant;
mod place;
mod prune;
mod reaction;
mod readiness;
mod relay;
mod run;
mod settings;
mod settle;
mod standstill;
mod status;
mod telemetry;
mod turn;
mod turned;
mod work;

pub use aggregate::AggregateField;
pub use alarms::Alarms;
pub use commands::Commands;
pub use dead_letters::{
    Cause, DeadLetter, DeadLetters, Discarded, Group, Held, Lane, Parked, ParkedLane, Parking, Raw,
    Reason, Replaying, Replays, Unreadable,
};
pub use effects::{EffectPage, EffectRunner, EffectView, Impossible, Resolution, ResolveError};
pub use intake::{Chunk, chunk, group, subscription};
pub use outside::{Attempt, Nobody, Outside};
pub use participant::{Alarm, Effect, Input, Key, Never, Participant, Reply, What};
pub use prune::{PruneError, Pruner};
pub use reaction::{Emitted, Reaction};
pub use relay::{Relay, RelayError, Sent};
pub use run::{Runtime, Surroundings};
pub use settings::{EngineOptions, Messaging, Settings};
pub use settle::Fatal;
pub use status::{Depth, Queues, Status};
pub use telemetry::{Metrics, trace};
pub use turn::Engine;
pub use turned::{Remembered, Turn, TurnError};
pub use work::{Answer, CommandError, IdempotencyKey, Origin, Pending, Work};

/// Whether the bug of this name is injected here: never without the feature `injected-bugs`, and then only
/// where a simulation has chosen it ([`injected_bugs`]).
#[cfg(feature = "injected-bugs")]
#[macro_export]
macro_rules! inject_bug {
    ($name:ident) => {
        $crate::injected_bugs::is_injected(stringify!($name))
    };
}

/// Whether the bug of this name is injected here: never without the feature `injected-bugs`.
#[cfg(not(feature = "injected-bugs"))]
#[macro_export]
macro_rules! inject_bug {
    ($name:ident) => {
        false
    };
}

/// A point at which a process can be told to die: nothing at all without the feature `crash-points`.
#[cfg(feature = "crash-points")]
macro_rules! crash_point {
    ($point:ident, $what:expr) => {
        $crate::crash_points::pass(crash::Point::$point, $what)
    };
}

/// A point at which a process can be told to die: nothing at all without the feature `crash-points`.
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
