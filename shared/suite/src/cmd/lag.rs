//! `lag`: shows how many records each service has not applied yet. The figures come from the bus, so they are known also of
//! a service that is down.

use super::on_bus::BusArgs;
use crate::manifest::Manifest;
use crate::session::Session;
use crate::ui;
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bus::{Bus, BusError};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// Prometheus' text format, which all of its versions read.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The arguments of `lag`.
#[derive(Debug, Args)]
pub struct Lag {
    /// Serve it under /metrics for Prometheus, instead of printing it once
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<SocketAddr>,
    /// A service beside those of the suite; several times for several
    #[arg(long = "service", value_name = "NAME")]
    more: Vec<String>,
    #[command(flatten)]
    bus: BusArgs,
}

/// The lag of a service in a partition of a topic that it reads.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct PartitionLag {
    service: String,
    topic: String,
    partition: i32,
    lag: i64,
}

/// Reads the lag of services from the bus.
struct LagReader {
    bus: Arc<dyn Bus>,
    services: Vec<String>,
    manifest: &'static Manifest,
    topics: BTreeSet<&'static str>,
    /// Held while the bus is read, so that many requests for `/metrics` do not burden it at the same time.
    reading: Mutex<()>,
}

impl Lag {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let bus = self.bus.open(session).await?;
        let services = session.services()?.into_iter().map(|service| service.to_string());
        let services = services.chain(self.more).collect();
        let (manifest, topics) = (session.manifest, session.topics.clone());
        let reader = LagReader { bus, services, manifest, topics, reading: Mutex::default() };
        if let Some(address) = self.listen {
            let listener = TcpListener::bind(address).await;
            let listener = listener.with_context(|| format!("--listen {address}"))?;
            let routes = Router::new().route("/metrics", get(metrics)).with_state(Arc::new(reader));
            axum::serve(listener, routes).await.context("serving the lag")?;
            return Ok(ExitCode::SUCCESS);
        }
        let lags = reader.read().await?;
        if session.json {
            ui::result(&serde_json::to_string(&lags)?);
        } else {
            ui::result(&table(&reader.services, &lags));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl LagReader {
    /// The lag in all partitions of the topics that each service reads.
    async fn read(&self) -> Result<Vec<PartitionLag>, BusError> {
        let _reading = self.reading.lock().await;
        let mut lags = Vec::new();
        for service in &self.services {
            let group = self.manifest.group(service);
            for topic in &self.topics {
                let states = match self.bus.partitions(&group, &[*topic]).await {
                    // The topic does not exist before its first event.
                    Err(BusError::UnknownTopic { .. }) => continue,
                    states => states?,
                };
                // A group without an offset in any partition of a topic does not subscribe to it.
                if states.iter().all(|state| state.committed.is_none()) {
                    continue;
                }
                lags.extend(states.into_iter().map(|state| PartitionLag {
                    service: service.clone(),
                    lag: state.lag(),
                    partition: state.partition,
                    topic: state.topic,
                }));
            }
        }
        Ok(lags)
    }
}

fn table(services: &[String], lags: &[PartitionLag]) -> String {
    let line = |service: &String| {
        let own: Vec<&PartitionLag> =
            lags.iter().filter(|partition| partition.service == *service).collect();
        let sum = own.iter().map(|partition| partition.lag).sum::<i64>();
        let lag = if own.is_empty() { "never ran on this bus".to_owned() } else { sum.to_string() };
        format!("{service:<15}{lag}")
    };
    services.iter().map(line).collect::<Vec<_>>().join("\n")
}

async fn metrics(State(reader): State<Arc<LagReader>>) -> Response {
    match reader.read().await {
        Ok(lags) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], exposed(&lags)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// The metrics as Prometheus' text. Each service reports its own lag under the same name, so that a query for the maximum
/// covers both sources.
fn exposed(lags: &[PartitionLag]) -> String {
    const NAME: &str = "quintet_consumer_lag_records";
    let mut text = format!(
        "# HELP {NAME} Records of a partition that the group has not applied\n# TYPE {NAME} gauge\n"
    );
    for PartitionLag { service, topic, partition, lag } in lags {
        let labels = format!("service=\"{service}\",topic=\"{topic}\",partition=\"{partition}\"");
        let _ = writeln!(text, "{NAME}{{{labels}}} {lag}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::{Log, LogOptions, Topic};

    #[tokio::test]
    async fn the_lag_of_a_service_that_is_down_is_known() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("bus.db");
        let bus = Log::open(&path, "", LogOptions::default()).await.unwrap();
        bus.create_topics(&[Topic { name: "bookings", partitions: 1, compacted: false }])
            .await
            .unwrap();
        // The service joins its group and leaves before the first record.
        let mut member = bus.consumer("trip-flights", &["bookings"]).await.unwrap();
        let position = bus::Position { topic: "bookings".to_owned(), partition: 0, next: 0 };
        member.store(&[position]).unwrap();
        member.close().await.unwrap();
        let record = bus::Outgoing {
            topic: "bookings".to_owned(),
            key: "k".to_owned(),
            headers: event::Headers::new(),
            value: Vec::new(),
        };
        let records = [record.clone(), record];
        assert!(bus.producer().await.unwrap().publish(&records).await.error.is_none());

        let services = vec!["booking".to_owned(), "flights".to_owned()];
        let Session { manifest, topics, .. } = Session::of_test(temp.path());
        let (bus, reading) = (Arc::new(bus), Mutex::default());
        let reader = LagReader { bus, services, manifest, topics, reading };
        let lags = reader.read().await.unwrap();
        let expected = "quintet_consumer_lag_records{service=\"flights\",topic=\"bookings\",\
                        partition=\"0\"} 2\n";
        assert!(exposed(&lags).ends_with(expected), "{}", exposed(&lags));
        let shown = table(&reader.services, &lags);
        assert_eq!(shown, "booking        never ran on this bus\nflights        2");
    }
}
