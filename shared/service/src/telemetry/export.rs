use std::{env, time::Duration};

use anyhow::Context;
use engine::trace::TARGET;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// How long the collector may take for what is left at the end.
const LAST_EXPORT: Duration = Duration::from_secs(2);

/// Sends spans to a collector, by OTLP over HTTP, from a thread of its own. A collector that is
/// away costs spans, nothing else.
#[derive(Debug)]
pub(super) struct Exporter(SdkTracerProvider);

impl Exporter {
    /// To the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names; none if it names none.
    pub(super) fn from_environment(service: &str) -> anyhow::Result<Option<Self>> {
        let endpoints = [OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT];
        let named = |name| env::var(name).is_ok_and(|endpoint| !endpoint.is_empty());
        if !endpoints.into_iter().any(named) {
            return Ok(None);
        }
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build();
        let exporter = exporter.context(OTEL_EXPORTER_OTLP_ENDPOINT)?;
        let resource = Resource::builder().with_service_name(format!("quintet-{service}")).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            // Whoever begins a trace has decided: no span is opened for one that is not sampled.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self(provider)))
    }

    /// Collects the spans that are for export, and what is logged within them.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let for_export = filter_fn(|metadata| metadata.is_event() || metadata.target() == TARGET);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("quintet"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Parents are given, never taken from the thread.
            .with_context_activation(false)
            // An error that is logged on the way is not yet the failure of what it interrupts.
            .with_error_events_to_status(false)
            .with_filter(for_export.with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what is left.
    pub(super) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_EXPORT) {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}
