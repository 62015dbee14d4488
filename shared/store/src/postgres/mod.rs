//! PostgreSQL. Its statements are pipelined: whatever needs no answer goes out at once, and what came
//! of it is looked at when the next answer is awaited. A batch waits for the server once or twice
//! instead of ten times.

mod connect;
#[cfg(feature = "tls")]
mod tls;
mod transaction;
mod values;

pub(crate) use connect::Server;
pub(crate) use transaction::Transaction;
pub(crate) use values::{Parameters, array, parameters};
