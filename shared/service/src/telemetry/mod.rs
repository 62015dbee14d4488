//! What a service tells about itself: logs, traces and metrics.
//!
//! Traces are collected only where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; each request has
//! the id of one all the same. Metrics are counted always and read at `/metrics`.

mod export;
mod log;
mod metrics;
mod request;

use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

pub(crate) use self::metrics::{__path_metrics, metrics};
pub(crate) use self::request::{answered, client, failed, observe};
pub use self::{
    metrics::{Figure, Telemetry},
    request::Sampling,
};
use crate::config::Log;
use export::Exporter;

/// Ends the export of traces.
#[derive(Debug)]
pub(crate) struct Collecting(Option<Exporter>);

/// Starts the log and, if the environment names a collector, the export of traces. To be called
/// outside of any runtime.
///
/// # Errors
/// If the environment's settings of OTLP cannot be used.
pub(crate) fn start(service: &str, log: &Log) -> anyhow::Result<Collecting> {
    let exporter = Exporter::from_environment(service)?;
    let traces = exporter.as_ref().map(Exporter::layer);
    tracing_subscriber::registry().with(traces).with(log::layer(log, std::io::stderr)).init();
    Ok(Collecting(exporter))
}

impl Collecting {
    /// Whether anybody collects.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Exports what is left. To be called outside of any runtime.
    pub(crate) fn end(self) {
        if let Some(exporter) = self.0 {
            exporter.end();
        }
    }
}
