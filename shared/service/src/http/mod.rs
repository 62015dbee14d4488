//! What routes share: problems, bodies, idempotency keys, traces.

mod body;
mod extract;
mod limits;
mod object;
mod problem;
mod room;
mod upload;

pub use body::{Body, Field, Fields, text_schema};
pub use extract::{Idempotency, OrderPath, Query, TraceContext};
pub(crate) use limits::{limit_time, with_request_id, without_panic};
pub use object::{object, objects};
pub use problem::Problem;
pub use room::{Listing, Room, StreamPlace, Streams, Waiting};
pub(crate) use upload::{broken_body, limit_body};
