//! Requests to the outside world, in a durable queue. The runner repeats each request under its own idempotency key
//! until there is a definite answer.
//!
//! The failing requests of one aggregate must not hold up those of others:
//!
//! - Fresh effects go before retries, which have a quota of the slots ([`schedule`]).
//! - An attempt that takes much longer than answers usually do gives its slot to an effect that waits ([`patience`]).
//! - Effects that fail together share an isolation key. The failures of a key cost only that key ([`isolation`]).
//! - An effect that is refused as malformed, or has had no answer for too long, is held for an operator
//!   ([`crate::upkeep`]).

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
