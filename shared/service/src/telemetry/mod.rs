//! What a service tells about itself: logs, traces and metrics.
//!
//! Traces are collected only where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; each request has
//! the id of one all the same. Metrics are counted always and read at `/metrics`.

mod export;
mod exposition;
mod log;
mod metrics;
mod request;

use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};
use uuid::Uuid;

pub(crate) use self::metrics::{__path_metrics, metrics};
pub(crate) use self::request::{RequestTrace, answered, client, failed, observe};
pub use self::{
    metrics::{Figure, Telemetry},
    request::Sampling,
};
use crate::config::Log;
pub(crate) use export::Collector;
use export::Exporter;

/// Ends the export of traces.
#[derive(Debug)]
pub(crate) struct Collecting(Option<Exporter>);

/// Starts the log and, if there is a collector, the export of traces; `instance` tells this process
/// from others of the service. To be called outside of any runtime.
///
/// # Errors
/// If the exporter cannot be set up.
pub(crate) fn start(
    service: &str,
    instance: Uuid,
    log: &Log,
    collector: Option<&Collector>,
) -> anyhow::Result<Collecting> {
    let exporter = collector.map(|collector| Exporter::to(collector, service, instance));
    let exporter = exporter.transpose()?;
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
