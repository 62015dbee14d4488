//! `lag`: how far each service is behind, as the bus knows it, also of services that are down.

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

/// Prometheus' text, which every version of it takes.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What `lag` takes.
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

/// How far a service is behind in a partition that it has read.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Behind {
    service: String,
    topic: String,
    partition: i32,
    lag: i64,
}

/// What is asked of the bus, by one at a time.
struct Desk {
    bus: Arc<dyn Bus>,
    services: Vec<String>,
    manifest: &'static Manifest,
    topics: BTreeSet<&'static str>,
    turn: Mutex<()>,
}

impl Lag {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let bus = self.bus.open(session).await?;
        let services = session.services()?.into_iter().map(|service| service.to_string());
        let services = services.chain(self.more).collect();
        let (manifest, topics) = (session.manifest, session.topics.clone());
        let desk = Desk { bus, services, manifest, topics, turn: Mutex::default() };
        if let Some(address) = self.listen {
            let listener = TcpListener::bind(address).await;
            let listener = listener.with_context(|| format!("--listen {address}"))?;
            let routes = Router::new().route("/metrics", get(metrics)).with_state(Arc::new(desk));
            axum::serve(listener, routes).await.context("serving the lag")?;
            return Ok(ExitCode::SUCCESS);
        }
        let all = desk.look().await?;
        if session.json {
            ui::result(&serde_json::to_string(&all)?);
        } else {
            ui::result(&table(&desk.services, &all));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Desk {
    /// All partitions that a service has read something of, or is to.
    async fn look(&self) -> Result<Vec<Behind>, BusError> {
        let _alone = self.turn.lock().await;
        let mut all = Vec::new();
        for service in &self.services {
            let group = self.manifest.group(service);
            for topic in &self.topics {
                let states = match self.bus.partitions(&group, &[*topic]).await {
                    // The topic does not exist before its first event.
                    Err(BusError::UnknownTopic { .. }) => continue,
                    states => states?,
                };
                // A group that has read nothing of a topic does not hear it.
                if states.iter().all(|state| state.committed.is_none()) {
                    continue;
                }
                all.extend(states.into_iter().map(|state| Behind {
                    service: service.clone(),
                    lag: state.lag(),
                    partition: state.partition,
                    topic: state.topic,
                }));
            }
        }
        Ok(all)
    }
}

fn table(services: &[String], all: &[Behind]) -> String {
    let line = |service: &String| {
        let its: Vec<&Behind> = all.iter().filter(|behind| behind.service == *service).collect();
        let lag = its.iter().map(|behind| behind.lag).sum::<i64>();
        let behind =
            if its.is_empty() { "never ran on this bus".to_owned() } else { lag.to_string() };
        format!("{service:<15}{behind}")
    };
    services.iter().map(line).collect::<Vec<_>>().join("\n")
}

async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    match desk.look().await {
        Ok(all) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], exposed(&all)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// Under the name by which each service tells its own, so that the larger of the two counts.
fn exposed(all: &[Behind]) -> String {
    const NAME: &str = "quintet_consumer_lag_records";
    let mut text = format!(
        "# HELP {NAME} Records of a partition that the group has not applied\n# TYPE {NAME} gauge\n"
    );
    for Behind { service, topic, partition, lag } in all {
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
    async fn it_tells_how_far_a_service_is_behind_that_is_down() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("bus.db");
        let bus = Log::open(&path, "", LogOptions::default()).await.unwrap();
        bus.create_topics(&[Topic { name: "bookings", partitions: 1, compacted: false }])
            .await
            .unwrap();
        // It reads nothing of what comes, and goes.
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
        let desk = Desk { bus: Arc::new(bus), services, manifest, topics, turn: Mutex::default() };
        let all = desk.look().await.unwrap();
        let expected = "quintet_consumer_lag_records{service=\"flights\",topic=\"bookings\",\
                        partition=\"0\"} 2\n";
        assert!(exposed(&all).ends_with(expected), "{}", exposed(&all));
        let shown = table(&desk.services, &all);
        assert_eq!(shown, "booking        never ran on this bus\nflights        2");
    }
}
