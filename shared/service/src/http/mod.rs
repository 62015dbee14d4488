//! The parts that routes share: problems, bodies, idempotency keys, traces, limits.

mod body;
mod cors;
mod extract;
mod failure;
mod fields;
mod json;
mod limits;
mod problem;
mod response;
mod room;
mod text;
mod upload;

pub use body::{Body, FromJson};
pub(crate) use cors::is_origin;
pub use cors::with_origins;
pub(crate) use extract::noun;
pub use extract::{AggregatePath, Idempotency, LinkedTrace, Query, TraceContext, limit};
pub(crate) use failure::Failure;
pub use failure::{Explained, failures};
pub use fields::{Field, Fields};
pub use json::{Fingerprint, Json};
pub(crate) use limits::{limit_time, with_request_id, without_panic};
pub use problem::{Problem, Wrong};
pub use response::CommandResponse;
pub use room::{Listing, Room, StreamPlace, Streams, Waiting};
pub(crate) use text::{fault, is_plain};
pub use text::{invisible_class, is_visible, text_schema};
pub(crate) use upload::{broken_body, limit_body};
