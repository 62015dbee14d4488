//! The metrics and spans of an engine. Without a registry and a subscriber they cost next to nothing.

mod metrics;
mod spans;
pub mod trace;

pub use metrics::Metrics;
pub(crate) use spans::{AttemptSpan, BatchSpans};
