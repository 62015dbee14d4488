//! Every interleaving of two replicas on one outbox, walked by stateright with the real state machine
//! ([`OwnedQueue`]) and the real [`Cursor`].
//!
//! The events are those of one aggregate, numbered by their commits. A state holds the database (lease, table,
//! transactions that hold the advisory lock), how far the broker has got, and both processes with their two tasks:
//! the engine, which commits, and the relay, which sends. Each statement of a task, and each change in memory, is a
//! step of its own. A replica that takes no step for a while hangs, so hanging needs no action.
//!
//! The properties are the conclusions of [`super::ownership`]. `tests.rs` also walks machines with one wrong
//! transition each, and expects a violation.

mod actions;
mod engine;
mod relay;
mod state;
mod tests;
