//! `/metrics`, in the text format of `OpenMetrics` or Prometheus. `docs/reference/metrics.md` explains each metric.
//!
//! Counters live in memory. Gauges such as the depth of the outbox are read from the database and the broker when
//! `/metrics` is asked for. That costs both of them, so the figures are shown again for a while.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bus::PartitionState;
use engine::{Participant, Queues};
use event::Contract;
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};
use tokio::{sync::Mutex, time::timeout};

use super::{Sampling, exposition::Exposition, queues::register_queues};
use crate::{
    App, Service,
    http::{Failure, Problem},
};

/// How long the database and the broker may take each. Figures that they do not give in time are left out.
const PATIENCE: Duration = Duration::from_secs(1);

/// The shortest time for which figures are shown again. Several collectors then cost no more than one.
const FRESH_AT_LEAST: Duration = Duration::from_secs(1);
/// The longest time for which figures are shown again. It is shorter than the usual interval of a collector, 15 s, so that
/// each scrape has new figures.
const FRESH_AT_MOST: Duration = Duration::from_secs(10);
/// Figures are shown again for so many times the time that reading them took. Reading thus takes at most a hundredth of
/// the time, also when it is slow because the database has not cleaned up a queue.
const FRESH_PER_READING: u32 = 100;

/// The metrics of a service, and the share of traces that it samples.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    requests: Family<Answered, Counter>,
    request: Family<Request, Histogram, fn() -> Histogram>,
    sampling: Sampling,
    /// The figures that were last read from the database and the broker.
    figures: Mutex<Option<Figures>>,
}

/// Figures that were read from the database and the broker.
#[derive(Debug)]
struct Figures {
    /// When they were read, by the monotonic clock.
    read_at: Duration,
    /// For how long they are shown again.
    fresh_for: Duration,
    /// The text of their metrics.
    text: String,
}

/// A gauge that a service reads from its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    name: &'static str,
    help: &'static str,
    value: FigureValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FigureValue {
    /// One number.
    One(i64),
    /// A number for each value of a label.
    By(&'static str, Vec<(&'static str, i64)>),
}

impl Figure {
    /// A figure with one number. The name is given without the saga's prefix.
    #[must_use]
    pub const fn one(name: &'static str, help: &'static str, value: i64) -> Self {
        Self { name, help, value: FigureValue::One(value) }
    }

    /// A figure with a number for each value of a label.
    #[must_use]
    pub const fn by(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: Vec<(&'static str, i64)>,
    ) -> Self {
        Self { name, help, value: FigureValue::By(label, values) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Partition {
    topic: String,
    partition: i32,
}

/// A histogram with buckets from half a millisecond to 16 seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

fn registry(namespace: &'static str, service: &'static str) -> Registry {
    Registry::with_prefix_and_labels(namespace, [("service".into(), service.into())].into_iter())
}

impl Telemetry {
    /// The metrics of a service that has not counted anything yet.
    #[must_use]
    pub fn of<P: Participant>(sampling: Sampling) -> Self {
        let mut registry = registry(P::Contract::NAMESPACE, P::NAME);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        let requests = Family::default();
        let help = "HTTP requests answered on both listeners, by route and status; the route is unmatched where there is none";
        registry.register("http_requests", help, requests.clone());
        let request = Family::new_with_constructor(seconds as fn() -> Histogram);
        let help = "Time until an HTTP request's answer begins, on both listeners";
        registry.register_with_unit("http_request", help, Unit::Seconds, request.clone());
        Self { registry, requests, request, sampling, figures: Mutex::default() }
    }

    /// The registry, for the service's own metrics. It adds the saga's prefix to their names, and the label `service`.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Adds a series of each metric, so that the registry tells the names of their labels: for a reference page.
    pub(crate) fn show_labels(&self) {
        self.answered("", String::new(), 0, Duration::ZERO);
    }

    pub(super) fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Counts an answered request.
    pub(super) fn answered(
        &self,
        method: &'static str,
        route: String,
        status: u16,
        took: Duration,
    ) {
        let request = Request { method, route: route.clone() };
        self.request.get_or_create(&request).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { method, route, status }).inc();
    }
}

/// The metrics of the service: as `OpenMetrics` for a client that accepts it, else in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "All metrics.", content(
        (String = "text/plain", example = "# TYPE quintet_batches_total counter\n"),
        (String = "application/openmetrics-text", example = "# EOF\n"),
    )),
))]
pub(crate) async fn metrics<S: Service>(State(app): State<App<S>>, head: HeaderMap) -> Response {
    let exposition = Exposition::accepted(&head);
    match text(&app).await {
        Ok(text) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(exposition.content_type())),
                (header::VARY, HeaderValue::from_static("accept")),
            ];
            (headers, exposition.of(text)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            Problem::from(Failure::MetricsUnwritable).into_response()
        }
    }
}

async fn text<S: Service>(app: &App<S>) -> Result<String, std::fmt::Error> {
    let figures = figures(app).await?;
    let mut text = String::new();
    encode_registry(&mut text, &app.telemetry.registry)?;
    text.push_str(&figures);
    encode_eof(&mut text)?;
    Ok(text)
}

/// The figures from the database and the broker: the last ones while they are fresh, else new ones. The lock makes
/// requests at the same time wait for one reading.
async fn figures<S: Service>(app: &App<S>) -> Result<String, std::fmt::Error> {
    let mut last = app.telemetry.figures.lock().await;
    let now = app.clock.steady();
    if let Some(figures) = &*last
        && now.saturating_sub(figures.read_at) < figures.fresh_for
    {
        return Ok(figures.text.clone());
    }
    let (queues, own, partitions) = tokio::join!(
        timeout(PATIENCE, app.engine.queues()),
        timeout(PATIENCE, S::figures(app.engine.db())),
        timeout(PATIENCE, app.engine.partitions(&*app.bus)),
    );
    let text = LookedUp {
        queues: queues.ok().and_then(Result::ok),
        figures: own.ok().and_then(Result::ok),
        partitions: partitions.ok().and_then(Result::ok),
    }
    .text::<S>()?;
    let took = app.clock.steady().saturating_sub(now);
    let fresh_for = took.saturating_mul(FRESH_PER_READING).clamp(FRESH_AT_LEAST, FRESH_AT_MOST);
    *last = Some(Figures { read_at: now, fresh_for, text: text.clone() });
    Ok(text)
}

/// What the database and the broker answered in time.
pub(crate) struct LookedUp {
    pub(crate) queues: Option<Queues>,
    pub(crate) figures: Option<Vec<Figure>>,
    pub(crate) partitions: Option<Vec<PartitionState>>,
}

impl LookedUp {
    pub(crate) fn text<S: Service>(self) -> Result<String, std::fmt::Error> {
        let mut found = registry(S::Contract::NAMESPACE, S::NAME);
        if let Some(queues) = self.queues {
            register_queues::<S::Contract>(&mut found, &queues);
        }
        if let Some(figures) = self.figures {
            register_figures(&mut found, &figures);
        }
        if let Some(partitions) = self.partitions {
            register_lag(&mut found, partitions);
        }
        let mut text = String::new();
        encode_registry(&mut text, &found)?;
        Ok(text)
    }
}

pub(super) fn register_figures(registry: &mut Registry, figures: &[Figure]) {
    for figure in figures {
        match &figure.value {
            FigureValue::One(value) => {
                let gauge = Gauge::<i64>::default();
                gauge.set(*value);
                registry.register(figure.name, figure.help, gauge);
            }
            FigureValue::By(label, values) => {
                let gauges = Family::<Vec<(&'static str, &'static str)>, Gauge>::default();
                for (label_value, value) in values {
                    gauges.get_or_create(&vec![(*label, *label_value)]).set(*value);
                }
                registry.register(figure.name, figure.help, gauges);
            }
        }
    }
}

fn register_lag(registry: &mut Registry, partitions: Vec<PartitionState>) {
    let lag = Family::<Partition, Gauge>::default();
    for state in partitions {
        let records = state.lag();
        let partition = Partition { topic: state.topic, partition: state.partition };
        lag.get_or_create(&partition).set(records);
    }
    let help = "Records of a partition that the service has not applied yet; `quintet lag` tells it too, also of services that are down";
    registry.register("consumer_lag_records", help, lag);
}
