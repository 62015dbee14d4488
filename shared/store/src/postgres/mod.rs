//! PostgreSQL, by tokio-postgres, with pipelined statements: a statement whose rows are not needed is sent
//! without waiting for its answer, and its answer is read together with the next answer that is needed. A batch
//! waits for the server once or twice instead of ten times.

mod connect;
#[cfg(feature = "tls")]
mod tls;
mod transaction;
mod values;

pub(crate) use connect::Server;
pub(crate) use transaction::{ReportedAs, Transaction};
pub(crate) use values::{Parameters, array, parameters};
