//! What an engine tells about itself. Without a subscriber and a registry it costs next to nothing.

mod metrics;
mod spans;
pub mod trace;

pub use metrics::Metrics;
pub(crate) use spans::{AttemptSpan, BatchSpans};
