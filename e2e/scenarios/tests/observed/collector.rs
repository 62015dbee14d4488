//! A collector of spans in the test's own process. It receives OTLP over HTTP.

use std::{
    net::TcpListener,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
};

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;

use crate::trace::Span;

static RECEIVED: Mutex<Vec<Span>> = Mutex::new(Vec::new());
static URL: LazyLock<String> = LazyLock::new(start);

/// The collector's URL. All suites of this process share one collector.
pub(crate) fn url() -> &'static str {
    &URL
}

/// The received spans of a trace.
pub(crate) fn spans(trace_id: &str) -> Vec<Span> {
    received().iter().filter(|span| span.trace_id == trace_id).cloned().collect()
}

/// The received spans of other traces that are linked with this one.
pub(crate) fn linked(trace_id: &str) -> Vec<Span> {
    let received = received();
    let others = received.iter().filter(|span| span.trace_id != trace_id);
    others.filter(|span| span.links.contains(trace_id)).cloned().collect()
}

fn received() -> MutexGuard<'static, Vec<Span>> {
    RECEIVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the collector in a thread with a runtime of its own, because it must outlive the scenarios' runtimes.
fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    listener.set_nonblocking(true).expect("a socket");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            let router = Router::new().route("/v1/traces", post(receive));
            axum::serve(listener, router).await.expect("the collector serves for ever");
        });
    });
    format!("http://{address}")
}

async fn receive(body: Bytes) -> Result<Vec<u8>, StatusCode> {
    let request = ExportTraceServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    received().extend(Span::all(request));
    Ok(ExportTraceServiceResponse::default().encode_to_vec())
}
