//! `/metrics`, as text of `OpenMetrics` or Prometheus. docs/metrics.md explains each.

use std::{sync::atomic::AtomicU64, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bus::PartitionState;
use engine::{Depth, Participant, Queues};
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

use super::{Sampling, exposition::Exposition};
use crate::{
    App, Service,
    http::{Problem, noun},
};

/// How long database and broker may take each. What they do not tell in time is left out.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long what was looked up may be shown again: it costs database and broker more than whoever asks
/// twice a second would think.
const FRESH: Duration = Duration::from_secs(1);
/// The same while looking takes long, as in a queue that the database has not cleaned up: less than
/// whoever collects metrics waits between two looks.
const FRESH_ENOUGH: Duration = Duration::from_secs(10);
/// Looking may take a hundredth of the time.
const TIMES_THE_LOOKING: u32 = 100;

/// What a service counts, and which traces it samples.
#[derive(Debug)]
pub struct Telemetry {
    service: &'static str,
    registry: Registry,
    requests: Family<Answered, Counter>,
    request: Family<Request, Histogram, fn() -> Histogram>,
    sampling: Sampling,
    /// What was last looked up in database and broker, when, and for how long that is shown.
    looked_up: Mutex<Option<(Duration, Duration, String)>>,
}

/// A gauge that a service reads from its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    name: &'static str,
    help: &'static str,
    now: Now,
}

/// What a figure is now: one number, or one for each value of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Now {
    One(i64),
    By(&'static str, Vec<(&'static str, i64)>),
}

impl Figure {
    /// One number, under a name without the prefix.
    #[must_use]
    pub const fn one(name: &'static str, help: &'static str, value: i64) -> Self {
        Self { name, help, now: Now::One(value) }
    }

    /// A number for each value of a label.
    #[must_use]
    pub const fn by(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: Vec<(&'static str, i64)>,
    ) -> Self {
        Self { name, help, now: Now::By(label, values) }
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

/// From half a millisecond to 16 seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

fn registry(namespace: &'static str, service: &'static str) -> Registry {
    Registry::with_prefix_and_labels(namespace, [("service".into(), service.into())].into_iter())
}

impl Telemetry {
    /// Of a service that has not counted anything yet.
    #[must_use]
    pub fn of<P: Participant>(sampling: Sampling) -> Self {
        let service = P::NAME;
        let mut registry = registry(P::Contract::NAMESPACE, service);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What runs", build);
        let requests = Family::default();
        let help = "HTTP requests answered, by route and status";
        registry.register("http_requests", help, requests.clone());
        let request = Family::new_with_constructor(seconds as fn() -> Histogram);
        let help = "Time until an HTTP request's answer begins";
        registry.register_with_unit("http_request", help, Unit::Seconds, request.clone());
        Self { service, registry, requests, request, sampling, looked_up: Mutex::default() }
    }

    /// Where metrics of the service's own are registered; the saga's prefix and the label
    /// `service` are added there.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    pub(super) fn sampling(&self) -> Sampling {
        self.sampling
    }

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

/// What the service counts, as Prometheus reads it: `OpenMetrics` for a client that accepts it, else
/// Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "All metrics.", content(
        (String = "text/plain", example = "# TYPE quintet_turns_total counter\n"),
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
            let detail = "the metrics cannot be written; the service's log says why";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }
    }
}

async fn text<S: Service>(app: &App<S>) -> Result<String, std::fmt::Error> {
    let looked_up = looked_up(app).await?;
    let mut text = String::new();
    encode_registry(&mut text, &app.telemetry.registry)?;
    text.push_str(&looked_up);
    encode_eof(&mut text)?;
    Ok(text)
}

/// What database and broker know, or knew just now.
async fn looked_up<S: Service>(app: &App<S>) -> Result<String, std::fmt::Error> {
    let mut kept = app.telemetry.looked_up.lock().await;
    let now = app.clock.steady();
    if let Some((at, fresh, text)) = &*kept
        && now.saturating_sub(*at) < *fresh
    {
        return Ok(text.clone());
    }
    let (queues, figures, partitions) = tokio::join!(
        timeout(PATIENCE, app.engine.queues()),
        timeout(PATIENCE, S::figures(app.engine.db())),
        timeout(PATIENCE, app.engine.partitions(&*app.bus)),
    );
    let mut found = registry(S::Contract::NAMESPACE, app.telemetry.service);
    if let Ok(Ok(queues)) = queues {
        register_queues::<S::Contract>(&mut found, &queues);
    }
    if let Ok(Ok(figures)) = figures {
        register_figures(&mut found, &figures);
    }
    if let Ok(Ok(partitions)) = partitions {
        register_lag(&mut found, partitions);
    }
    let mut text = String::new();
    encode_registry(&mut text, &found)?;
    let took = app.clock.steady().saturating_sub(now);
    let fresh = took.saturating_mul(TIMES_THE_LOOKING).clamp(FRESH, FRESH_ENOUGH);
    *kept = Some((now, fresh, text.clone()));
    Ok(text)
}

fn register_queues<C: Contract>(registry: &mut Registry, queues: &Queues) {
    let mut register = |name: &str, what: &str, age: &str, since: &str, depth: Depth| {
        let (rows, oldest) = (Gauge::<i64>::default(), Gauge::<f64, AtomicU64>::default());
        rows.set(depth.depth);
        oldest.set(depth.oldest_seconds);
        registry.register(name, what, rows);
        registry.register_with_unit(age, since, Unit::Seconds, oldest);
    };
    let (what, since) = (
        "Events that the broker has not acknowledged",
        "Age of the oldest event that the broker has not acknowledged",
    );
    register("outbox_events", what, "outbox_oldest", since, queues.outbox);
    let (what, since) = (
        "Requests to the outside world without a definite answer",
        "Age of the oldest request without a definite answer",
    );
    register("effects_waiting", what, "effects_oldest", since, queues.effects);
    let (what, since) = (
        "Deadlines that have not been handled",
        "For how long the oldest deadline has been due; 0 if none is",
    );
    register("alarms_waiting", what, "alarms_overdue", since, queues.alarms);
    let (what, since) =
        ("Aggregates that are parked, and records that name none", "Age of the oldest dead letter");
    let parked = format!("dead_letters_{}s", noun::<C>());
    register(&parked, what, "dead_letters_oldest", since, queues.parked);
    let (what, postponed) = (
        "Records in the dead-letter queues",
        "Outcomes and deadlines that cannot be applied, and are tried again",
    );
    let figures = [
        Figure::one("dead_letters", what, queues.dead_letters),
        Figure::one("dead_letters_postponed", postponed, queues.postponed),
        Figure::one(
            "effects_held",
            "Requests to the outside world that are held for an operator",
            queues.effects_held,
        ),
    ];
    register_figures(registry, &figures);
}

fn register_figures(registry: &mut Registry, figures: &[Figure]) {
    for figure in figures {
        match &figure.now {
            Now::One(value) => {
                let gauge = Gauge::<i64>::default();
                gauge.set(*value);
                registry.register(figure.name, figure.help, gauge);
            }
            Now::By(label, values) => {
                let gauges = Family::<Vec<(&'static str, &'static str)>, Gauge>::default();
                for (of, value) in values {
                    gauges.get_or_create(&vec![(*label, *of)]).set(*value);
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
    let help = "Records of a partition that the group has not applied";
    registry.register("consumer_lag_records", help, lag);
}
