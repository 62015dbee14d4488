//! The telemetry of a service: logs, traces and metrics.
//!
//! Spans are exported only if `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector. Each request has a trace id in any case,
//! for the log. Metrics are always counted, and read at `/metrics`.

mod export;
mod exposition;
mod log;
mod metrics;
mod queues;
mod request;

use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};
use uuid::Uuid;

pub(crate) use self::metrics::{__path_metrics, LookedUp, metrics};
pub(crate) use self::request::{RequestTrace, answered, client, failed, observe};
pub use self::{
    metrics::{Figure, Telemetry},
    request::Sampling,
};
use crate::config::Log;
pub(crate) use export::Collector;
use export::Exporter;

/// The running export of traces, if there is a collector.
#[derive(Debug)]
pub(crate) struct Collecting(Option<Exporter>);

/// Starts the log and, if there is a collector, the export of traces. `instance` distinguishes this process from other
/// replicas of the service. It must be called outside of any runtime, because the exporter makes a blocking HTTP client.
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
    /// Whether there is a collector.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Exports the remaining spans. It blocks, so it must be called outside of any runtime.
    pub(crate) fn end(self) {
        if let Some(exporter) = self.0 {
            exporter.end();
        }
    }
}
