//! What routes share: problems, bodies, idempotency keys, traces.

mod body;
mod extract;
mod problem;

pub use body::{Body, Field, Fields};
pub use extract::{Idempotency, OrderPath, Query, TraceContext};
pub use problem::Problem;
