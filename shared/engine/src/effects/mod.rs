//! What leaves the system: a durable queue of requests to the outside world. The runner repeats each of them
//! under its own idempotency key until there is a definite answer.
//!
//! One aggregate's requests must not stop those of the others. Fresh effects go before retries, which have a quota of the
//! slots ([`schedule`]). An attempt that takes much longer than answers do gives its slot to others that wait
//! ([`patience`]). Effects that fail together share an isolation key, and the failures of a key cost
//! that key only ([`isolation`]). An effect that is refused as malformed, or has had no answer for too long, is
//! held for an operator ([`crate::upkeep`]).

mod answers;
mod attempts;
mod breaker;
mod isolation;
mod jumps;
mod patience;
mod queue;
mod rows;
mod runner;
mod schedule;

pub(crate) use queue::EffectQueue;
pub(crate) use rows::{Claimed, InsertMode, Requested, insert, release_orphans, take};
pub use runner::EffectRunner;
pub(crate) use runner::RunnerParts;
