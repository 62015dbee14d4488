//! The contract against today's consumers.
//!
//! `golden/` holds records of every event version ever released, with what each consumer does in
//! answer beside them; `fuzz/` holds what nobody should send, over the broker or over HTTP.

mod before;
mod consumer;
mod golden;
mod record;

pub use before::Plays;
pub use consumer::Consumer;
pub use golden::{Golden, golden};
pub use record::Record;
