//! Where inputs come from: the broker ([`consumer`]) and HTTP handlers ([`commands`]); and how they share a batch
//! ([`fairness`]). The effect runner, the alarms and the replays of dead letters feed the same queues.

pub(crate) mod commands;
pub(crate) mod consumer;
pub(crate) mod fairness;

pub use commands::Commands;
pub use consumer::{Chunk, chunk};
