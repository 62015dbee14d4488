//! Spans of HTTP requests, both of clients to this service and of this service to providers, by `OpenTelemetry`'s HTTP
//! conventions.

use axum::{
    extract::{FromRequestParts, MatchedPath, RawPathParams, Request},
    http::{Method, StatusCode, request::Parts},
    response::Response,
};
use clock::Random;
use engine::{
    Participant,
    trace::{TARGET, Traced},
};
use event::{Contract, KeyOf, Trace};
use tracing::{Instrument, Span, field::Empty, info_span};

use crate::{App, http::noun};

/// The route of a request that matches none, in metrics.
const UNMATCHED: &str = "unmatched";
/// Routes that machines ask every few seconds, or browsers for a page. Their traces would only hide others.
const UNTRACED: [&str; 6] =
    ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/admin/status", "/admin/rows"];
/// The path of the page, and the prefix of the paths of its files.
const PAGE: &str = "/docs";

fn is_traced(route: &str) -> bool {
    !UNTRACED.contains(&route) && !route.starts_with(PAGE)
}

/// The share of the traces beginning in this service that is sampled.
#[derive(Debug, Clone, Copy)]
pub struct Sampling(f64);

impl Sampling {
    /// This share, 0 to 1, if there is a collector; else none.
    #[must_use]
    pub fn new(share: f64, collecting: bool) -> Self {
        Self(if collecting { share } else { 0.0 })
    }

    fn draw(self, random: &dyn Random) -> bool {
        let [a, b, c, d, ..] = random.bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0) < self.0
    }
}

/// Gives a request its trace, and a span if the trace is sampled. Counts and times its answer.
pub(crate) async fn observe<P: Participant, A: Future<Output = Response>>(
    app: &App<P>,
    request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let started = app.clock.steady();
    let (mut parts, body) = request.into_parts();
    let route = parts.extensions.get::<MatchedPath>();
    let route = route.map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let method = known(&parts.method);
    let aggregate_id = aggregate_of::<P::Contract>(&mut parts, &route).await;
    let Began { traced, begins_here } = begin(app, &parts, method, &route, aggregate_id.as_deref());
    let log = info_span!("request", aggregate_id, trace_id = traced.trace.trace_id());
    let span = traced.span.clone();
    parts.extensions.insert(RequestTrace { trace: traced.trace, span: span.clone(), begins_here });
    let answer = answer(Request::from_parts(parts, body)).instrument(traced.span);
    let response = answer.instrument(log).await;
    // An answer 4xx is the client's error; by the conventions the server's span is then no error.
    record(&span, response.status(), response.status().is_server_error());
    let took = app.clock.steady().saturating_sub(started);
    app.telemetry.answered(method, route, response.status().as_u16(), took);
    response
}

/// The method as a label of metrics. Clients can send any word as a method, and each would make a new time series.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

/// The aggregate that the path names. The name of the parameter decides, as ids of effects, for example, are UUIDs too.
async fn aggregate_of<C: Contract>(parts: &mut Parts, route: &str) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let mut named = parameters.iter().filter(|(name, _)| names_an_aggregate::<C>(route, name));
    let named = named.find(|(_, value)| value.parse::<KeyOf<C>>().is_ok());
    named.map(|(_, value)| value.to_owned())
}

/// Whether a path parameter is the id of an aggregate: `{trip_id}`, `{trip}`, or `{id}` in `/trips/{id}`, where the
/// contract's key is `trip_id`.
fn names_an_aggregate<C: Contract>(route: &str, parameter: &str) -> bool {
    let noun = noun::<C>();
    match parameter {
        "aggregate" => true,
        "id" => route
            .strip_prefix('/')
            .and_then(|rest| rest.strip_prefix(noun))
            .is_some_and(|rest| rest.starts_with("s/{id}")),
        _ => parameter == noun || parameter == C::KEY_FIELD,
    }
}

/// The trace of a request, for its handler.
#[derive(Debug, Clone)]
pub(crate) struct RequestTrace {
    /// The trace of the request's headers, or a new one.
    pub(crate) trace: Trace,
    /// The request's span; none if the trace is not sampled.
    pub(crate) span: Span,
    /// Whether the trace begins with this request.
    pub(crate) begins_here: bool,
}

/// The span of a request and its trace.
struct Began {
    traced: Traced,
    begins_here: bool,
}

/// Continues the trace of the request's headers, or begins a new one.
fn begin<P: Participant>(
    app: &App<P>,
    parts: &Parts,
    method: &'static str,
    route: &str,
    aggregate_id: Option<&str>,
) -> Began {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let parent = Trace::parse(header("traceparent"), header("tracestate"));
    let traceable = is_traced(route);
    let path = parts.uri.path();
    let span = || server_span(method, route, path, aggregate_id);
    if parent.trace_id().is_some() {
        let traced = if traceable {
            Traced::under(&parent, span)
        } else {
            Traced { span: Span::none(), trace: parent }
        };
        return Began { traced, begins_here: false };
    }
    let sampled = traceable && app.telemetry.sampling().draw(&*app.random);
    let begun = if sampled { Traced::of(span()) } else { None };
    let traced = begun.unwrap_or_else(|| {
        let id = app.random.bytes();
        let [span @ .., _, _, _, _, _, _, _, _] = app.random.bytes();
        Traced { span: Span::none(), trace: Trace::root(id, span, false) }
    });
    Began { traced, begins_here: true }
}

/// The span of a request to this service.
fn server_span(method: &'static str, route: &str, path: &str, aggregate_id: Option<&str>) -> Span {
    let name = if route == UNMATCHED { method.to_owned() } else { format!("{method} {route}") };
    info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = (route != UNMATCHED).then_some(route),
        http.response.status_code = Empty,
        url.scheme = "http",
        url.path = path,
        error.r#type = Empty,
        quintet.aggregate_id = aggregate_id,
    )
}

/// The span of a request to a provider.
pub(crate) fn client(trace: &Trace, request: &reqwest::Request) -> Traced {
    let (method, url) = (request.method(), request.url());
    Traced::under(trace, || {
        info_span!(
            target: TARGET,
            parent: None,
            "request",
            otel.name = method.as_str(),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = method.as_str(),
            http.response.status_code = Empty,
            url.full = url.as_str(),
            server.address = url.host_str(),
            server.port = url.port_or_known_default().map(i64::from),
            error.r#type = Empty,
        )
    })
}

/// Records a provider's answer in the span. By the conventions a status 4xx or 5xx is an error of the client's span.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    record(span, status, status.is_client_error() || status.is_server_error());
}

/// Records in the span that a provider did not answer.
pub(crate) fn failed(span: &Span, error: &reqwest::Error) {
    let kind = if error.is_timeout() { "timeout" } else { "connection" };
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
}

fn record(span: &Span, status: StatusCode, error: bool) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if error {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use clock::SeededRandom;
    use tokio::net::TcpListener;

    use testkit::toy::ToyEvent;

    use super::*;

    fn sampled_of_a_thousand(sampling: Sampling) -> usize {
        let random = SeededRandom::new(1);
        (0..1_000).filter(|_| sampling.draw(&random)).count()
    }

    #[test]
    fn the_share_of_traces_is_as_configured() {
        assert_eq!(sampled_of_a_thousand(Sampling::new(0.0, true)), 0);
        assert_eq!(sampled_of_a_thousand(Sampling::new(1.0, true)), 1_000);
        assert_eq!(sampled_of_a_thousand(Sampling::new(1.0, false)), 0);
        assert!((450..550).contains(&sampled_of_a_thousand(Sampling::new(0.5, true))));
    }

    #[test]
    fn routes_that_machines_poll_are_not_traced() {
        for route in ["/metrics", "/admin/status", "/docs/{*rest}", "/docs"] {
            assert!(!is_traced(route), "{route}");
        }
        for route in ["/tallies", "/tallies/{id}", "/admin/dead-letters", UNMATCHED] {
            assert!(is_traced(route), "{route}");
        }
    }

    #[tokio::test]
    async fn only_a_parameter_with_the_aggregates_name_names_the_aggregate() {
        const ID: &str = "0198a3f0-0000-7000-8000-000000000000";
        let answer_aggregate = async |request: Request| {
            let (mut parts, _) = request.into_parts();
            let route = parts.extensions.get::<MatchedPath>().unwrap().as_str().to_owned();
            aggregate_of::<ToyEvent>(&mut parts, &route).await.unwrap_or_default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tallies = [
            "/tallys/{id}/events",
            "/questions/{tally_id}",
            "/bells/{tally}",
            "/admin/dead-letters/{aggregate}",
        ];
        let others = ["/admin/effects/{effect}/retry", "/parcels/{id}"];
        let all = tallies.iter().chain(&others);
        let router =
            all.fold(Router::new(), |router, route| router.route(route, get(answer_aggregate)));
        tokio::spawn(axum::serve(listener, router).into_future());
        let found = async |route: &str, value: &str| {
            let (before, after) = route.split_once('{').unwrap();
            let (_, after) = after.split_once('}').unwrap();
            let answer = reqwest::get(format!("{url}{before}{value}{after}")).await.unwrap();
            answer.text().await.unwrap()
        };
        for route in tallies {
            assert_eq!(found(route, ID).await, ID, "{route}");
            assert_eq!(found(route, "not-an-id").await, "", "{route}");
        }
        for route in others {
            assert_eq!(found(route, ID).await, "", "{route}");
        }
    }

    #[test]
    fn unknown_methods_count_as_one() {
        assert_eq!(known(&Method::PUT), "PUT");
        assert_eq!(known(&Method::from_bytes(b"FETCH").unwrap()), "_OTHER");
    }
}
