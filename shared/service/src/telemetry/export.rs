//! The export of spans to a collector.

use std::{env, time::Duration};

use anyhow::{Context, bail};
use axum::http::Uri;
use engine::trace::TARGET;
use opentelemetry::{Key, KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, SpanExporter,
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter as Export},
};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};
use uuid::Uuid;

/// How long the collector may take for the remaining spans at the end.
const LAST_EXPORT: Duration = Duration::from_secs(2);
/// The supported value of `OTEL_EXPORTER_OTLP_PROTOCOL`.
const PROTOCOL: &str = "http/protobuf";

/// Sends spans to a collector by OTLP over HTTP, from a thread of its own. While the collector is away, spans are lost
/// and nothing else happens.
#[derive(Debug)]
pub(super) struct Exporter(SdkTracerProvider);

/// The collector that the environment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collector {
    /// The URL that spans are posted to.
    endpoint: String,
}

impl Collector {
    /// The collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names; none if it names none.
    ///
    /// # Errors
    /// Naming the variable that cannot be used.
    pub(crate) fn from_environment() -> anyhow::Result<Option<Self>> {
        Self::named(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn named(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Self>> {
        let of_traces = variable(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
        let (name, given, endpoint) = match (of_traces, variable(OTEL_EXPORTER_OTLP_ENDPOINT)) {
            (Some(given), _) => (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, given.clone(), given),
            (None, Some(given)) => {
                let endpoint = format!("{}/v1/traces", given.trim_end_matches('/'));
                (OTEL_EXPORTER_OTLP_ENDPOINT, given, endpoint)
            }
            (None, None) => return Ok(None),
        };
        for name in [OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL] {
            if let Some(other) = variable(name).filter(|protocol| protocol != PROTOCOL) {
                bail!(
                    "{name}={other} is not supported: set it to {PROTOCOL} and the endpoint to the \
                     collector's port for that, usually 4318"
                );
            }
        }
        let url: Option<Uri> = endpoint.parse().ok();
        if url.as_ref().and_then(Uri::authority).is_some_and(|host| host.as_str().contains('@')) {
            bail!(
                "{name}: user and password would be sent in clear; name a collector that asks for \
                 none, such as one beside this process that passes spans on"
            );
        }
        match url.as_ref().and_then(Uri::scheme_str) {
            Some("http") => Ok(Some(Self { endpoint })),
            Some("https") => bail!(
                "{name}={given:?}: spans are sent without TLS; name a collector on http://, such as one \
                 beside this process that passes them on"
            ),
            _ => bail!("{name}={given:?} is no URL; give http://HOST:4318"),
        }
    }
}

impl Exporter {
    /// Starts the export to this collector. `instance` distinguishes this process from other replicas of the service.
    pub(super) fn to(collector: &Collector, service: &str, instance: Uuid) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder().with_http().build();
        let exporter =
            exporter.with_context(|| format!("cannot export spans to {}", collector.endpoint))?;
        let exporter = Named { exporter, endpoint: collector.endpoint.clone() };
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(service, instance))
            // The sampling was decided where the trace began, and no span is opened for a trace that is not sampled.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// The layer that collects the spans for export, and the log events within them.
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
            // Each span is given its parent. The thread's current span may belong to another request.
            .with_context_activation(false)
            // An operation may log an error and still succeed at the next attempt.
            .with_error_events_to_status(false)
            .with_filter(for_export.with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends the remaining spans.
    pub(super) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_EXPORT) {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

/// The attributes of all spans of this process. `OTEL_RESOURCE_ATTRIBUTES` overrides the version and the instance.
fn resource(service: &str, instance: Uuid) -> Resource {
    let configured = Resource::builder().build();
    let defaults = [
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", instance.to_string()),
    ];
    let missing =
        defaults.into_iter().filter(|(name, _)| configured.get(&Key::from(*name)).is_none());
    Resource::builder()
        .with_service_name(service.to_owned())
        .with_attributes(missing.map(|(name, value)| KeyValue::new(name, value)))
        .build()
}

/// An exporter whose errors name the collector.
#[derive(Debug)]
struct Named<E> {
    exporter: E,
    endpoint: String,
}

impl<E: Export> Export for Named<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.exporter.export(batch).await.map_err(|error| {
            OTelSdkError::InternalFailure(format!(
                "{spans} spans are lost: cannot send them to {}: {error}",
                self.endpoint
            ))
        })
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let collector = Collector::named(variable).map_err(|error| error.to_string())?;
        Ok(collector.map(|collector| collector.endpoint))
    }

    #[test]
    fn the_endpoint_follows_from_the_variables_as_otlp_specifies() {
        const ALL: &str = OTEL_EXPORTER_OTLP_ENDPOINT;
        assert_eq!(named(&[]), Ok(None));
        let expected = Ok(Some("http://c:4318/v1/traces".to_owned()));
        assert_eq!(named(&[(ALL, "http://c:4318")]), expected);
        assert_eq!(
            named(&[(ALL, "http://c:4318/"), ("OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOL)]),
            expected
        );
        let of_traces = (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, "http://t:1/x");
        assert_eq!(
            named(&[(ALL, "http://c:4318"), of_traces]),
            Ok(Some("http://t:1/x".to_owned()))
        );
    }

    #[test]
    fn an_unsupported_protocol_or_scheme_is_refused_by_its_variables_name() {
        let endpoint = (OTEL_EXPORTER_OTLP_ENDPOINT, "http://c:4317");
        for name in ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] {
            for other in ["grpc", "http/json"] {
                let why = named(&[endpoint, (name, other)]).unwrap_err();
                assert!(why.starts_with(&format!("{name}={other} is not supported")), "{why}");
                assert_eq!(named(&[(name, other)]), Ok(None), "nothing is sent anyway");
            }
        }
        for wrong in ["https://c:4318", "c:4318", "file:///etc/passwd"] {
            let why = named(&[(OTEL_EXPORTER_OTLP_ENDPOINT, wrong)]).unwrap_err();
            let named = format!("OTEL_EXPORTER_OTLP_ENDPOINT={wrong:?}");
            assert!(why.starts_with(&named) && why.contains("http://"), "{why}");
        }
    }

    #[test]
    fn a_password_is_not_sent_in_clear() {
        let why = named(&[(OTEL_EXPORTER_OTLP_ENDPOINT, "http://u:hunter2@c:4318")]).unwrap_err();
        assert!(why.contains("in clear") && !why.contains("hunter2"), "{why}");
    }

    #[test]
    fn the_process_is_named_with_its_version_and_instance() {
        let resource = resource("toy-till", Uuid::from_u128(7));
        let get = |name| resource.get(&Key::from_static_str(name)).map(|value| value.to_string());
        assert_eq!(get("service.name").as_deref(), Some("toy-till"));
        assert_eq!(get("service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
        let instance = Uuid::from_u128(7).to_string();
        assert_eq!(get("service.instance.id"), Some(instance));
    }

    #[derive(Debug)]
    struct UnreachableCollector;

    impl Export for UnreachableCollector {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            Err(OTelSdkError::InternalFailure("connection refused".to_owned()))
        }
    }

    #[tokio::test]
    async fn an_error_names_the_collector() {
        let endpoint = "http://c:4318/v1/traces".to_owned();
        let named = Named { exporter: UnreachableCollector, endpoint };
        let error = named.export(Vec::new()).await.unwrap_err().to_string();
        assert!(error.contains("cannot send them to http://c:4318/v1/traces"), "{error}");
        assert!(error.contains("connection refused"), "{error}");
    }
}
