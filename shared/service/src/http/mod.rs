//! What routes share: problems, bodies, idempotency keys, traces.

mod body;
mod cors;
mod extract;
mod fields;
mod json;
mod limits;
mod problem;
mod text;

pub use body::{Body, FromJson};
pub(crate) use cors::is_origin;
pub use cors::with_origins;
pub use extract::{Idempotency, LinkedTrace, OrderPath, Query, TraceContext};
pub use fields::{Field, Fields};
pub use json::{Fingerprint, Json};
pub(crate) use limits::{limit_body, limit_time, with_request_id, without_panic};
pub use problem::{Problem, Wrong};
pub(crate) use text::is_plain;
pub use text::text_schema;
