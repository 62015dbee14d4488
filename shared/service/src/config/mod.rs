//! The settings of a service. Its commented `config.toml` is compiled in: it is both the documentation and the defaults.

mod defaults;
mod http;
mod load;
pub mod seconds;
mod secrets;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::bail;
use engine::Messaging;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::http::is_origin;

pub(crate) use defaults::Defaults;
pub use http::Http;
pub(crate) use load::{Loaded, load};
pub(crate) use secrets::Secrets;

/// The settings that every service has.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// The public listener.
    pub listen: SocketAddr,
    /// The admin listener: on loopback by default.
    pub admin_listen: SocketAddr,
    /// Which web pages may call the public listener.
    pub cors: Cors,
    /// The limits of the HTTP listeners.
    pub http: Http,
    /// The service's own database.
    pub database: Database,
    /// The broker.
    pub bus: Bus,
    /// Settings of librdkafka, passed on as they are.
    pub kafka: BTreeMap<String, String>,
    /// The requests that wait for the engine.
    pub commands: Queue,
    /// The events that wait for the broker.
    pub outbox: Limit,
    /// The memory of applied events.
    pub inbox: Inbox,
    /// The requests to the outside world.
    pub effects: Effects,
    /// The engine.
    pub engine: EngineConfig,
    /// The recording of traces.
    pub traces: Traces,
    /// The log.
    pub log: Log,
}

/// See [`Config::cors`].
#[derive(Debug, Clone, Deserialize)]
pub struct Cors {
    /// The origins of the pages, such as `https://shop.example`. If the list is empty, no page of another origin may
    /// call.
    pub origins: Vec<String>,
}

/// See [`Config::database`].
#[derive(Debug, Clone, Deserialize)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER@HOST/DB`.
    pub url: String,
    /// The most connections to PostgreSQL.
    pub connections: u32,
    /// How many mebibytes a SQLite file may grow to; 0 for no limit.
    pub max_mib: u32,
}

/// See [`Config::bus`].
#[derive(Debug, Clone, Deserialize)]
pub struct Bus {
    /// `log:PATH` or `kafka:HOST:PORT,…`.
    pub url: String,
    /// The prefix of the names of topics and groups.
    pub namespace: String,
    /// The number of partitions of a topic that this service creates.
    pub partitions: i32,
}

/// See [`Config::commands`].
#[derive(Debug, Clone, Deserialize)]
pub struct Queue {
    /// How many requests may wait; more are refused with 429.
    pub queue: usize,
}

/// See [`Config::outbox`].
#[derive(Debug, Clone, Deserialize)]
pub struct Limit {
    /// How many events may wait; beyond, requests are refused with 503.
    pub limit: usize,
}

/// See [`Config::inbox`].
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Inbox {
    /// Whether the inbox forgets an event that no topic can deliver again.
    pub prune: bool,
}

/// See [`Config::effects`].
#[derive(Debug, Clone, Deserialize)]
pub struct Effects {
    /// The most requests to the outside world that are under way at once.
    pub concurrency: usize,
    /// How long each attempt may take.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub timeout: Duration,
    /// The longest pause between two attempts.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub backoff_max: Duration,
    /// After how long without an answer a request is held for an operator.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub hold_after: Duration,
}

/// See [`Config::engine`].
#[derive(Debug, Clone, Deserialize)]
pub struct EngineConfig {
    /// The most inputs that one transaction applies.
    pub batch: usize,
}

/// See [`Config::traces`].
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Traces {
    /// The share of traces that is recorded, 0 to 1, of requests whose caller has not decided.
    pub sample: f64,
}

/// See [`Config::log`].
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    /// The format of its lines.
    pub format: LogFormat,
    /// A level, or levels by module, as in `RUST_LOG`.
    pub filter: String,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person.
    Pretty,
    /// For a machine: one JSON object a line.
    Json,
}

impl Config {
    /// The engine's settings. On SQLite the service is certainly the sole replica, so its engine starts in exclusive
    /// mode.
    #[must_use]
    pub fn engine_settings(&self, client: &str) -> engine::Settings {
        engine::Settings {
            batch: self.engine.batch,
            commands_queue: self.commands.queue,
            outbox_limit: self.outbox.limit,
            inbox_prune: self.inbox.prune,
            exclusive: self.database.url.starts_with("sqlite:"),
            effects_concurrency: self.effects.concurrency,
            effects_timeout: self.effects.timeout,
            // Longer than any attempt takes, so that a claim that has run out belongs to a process that hangs or died.
            claim: self.effects.timeout * 3,
            backoff_max: self.effects.backoff_max,
            hold_after: self.effects.hold_after,
            messaging: Arc::new(self.messaging(client)),
            ..engine::Settings::default()
        }
    }

    /// The attributes of messaging spans. `OpenTelemetry` has no name for the embedded log, and the log has no server.
    fn messaging(&self, client: &str) -> Messaging {
        let configured = self.kafka.get("client.id").cloned();
        let client_id = configured.unwrap_or_else(|| client.to_owned());
        let Some(brokers) = self.bus.url.strip_prefix("kafka:") else {
            return Messaging { system: "quintet_log", client_id, ..Messaging::default() };
        };
        let first = brokers.split(',').next().unwrap_or_default().trim();
        let (host, port) = match first.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (first, None),
        };
        let host = Some(host.trim_matches(['[', ']']).to_owned());
        Messaging { system: "kafka", host, port, client_id }
    }
}

/// Whether a process cannot listen on both addresses.
fn conflict(address: SocketAddr, other: SocketAddr) -> bool {
    let same = address.ip() == other.ip();
    let everywhere = address.ip().is_unspecified() || other.ip().is_unspecified();
    // Port 0 stands for any free port.
    address.port() != 0 && address.port() == other.port() && (same || everywhere)
}

/// The settings of a service that has none of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct NoConfig {}

impl Config {
    /// Checks the values beyond their types.
    ///
    /// # Errors
    /// Naming the first setting that cannot be used.
    pub fn check(&self) -> anyhow::Result<()> {
        let positive = [
            ("database.connections", self.database.connections > 0),
            ("bus.partitions", self.bus.partitions > 0),
            ("commands.queue", self.commands.queue > 0),
            ("outbox.limit", self.outbox.limit > 0),
            ("effects.concurrency", self.effects.concurrency > 0),
            ("effects.timeout", !self.effects.timeout.is_zero()),
            ("effects.backoff_max", !self.effects.backoff_max.is_zero()),
            ("effects.hold_after", !self.effects.hold_after.is_zero()),
            ("engine.batch", self.engine.batch > 0),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, positive)| !positive) {
            bail!("{name} must be more than 0");
        }
        if conflict(self.admin_listen, self.listen) {
            bail!(
                "admin_listen = {} takes the port of listen = {}: give each a port of its own",
                self.admin_listen,
                self.listen
            );
        }
        if self.database.max_mib > 0 && !self.database.url.starts_with("sqlite:") {
            bail!(
                "database.max_mib is for SQLite: bound PostgreSQL where it runs, and set it to 0"
            );
        }
        if let Some(wrong) = self.cors.origins.iter().find(|origin| !is_origin(origin)) {
            bail!(
                "cors.origins: {wrong:?} is no origin: give scheme, host and, where it is not the \
                 scheme's own, port, as in https://shop.example; there is no wildcard"
            );
        }
        self.http.check()?;
        if let Err(error) = EnvFilter::try_new(&self.log.filter) {
            bail!("log.filter = {:?}: {error}", self.log.filter);
        }
        if !(0.0..=1.0).contains(&self.traces.sample) {
            bail!("traces.sample = {} must be 0 to 1", self.traces.sample);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_cannot_share_a_port() {
        let conflict =
            |one: &str, other: &str| conflict(one.parse().unwrap(), other.parse().unwrap());
        assert!(conflict("127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(conflict("0.0.0.0:8080", "127.0.0.1:8080"));
        assert!(conflict("127.0.0.1:8080", "[::]:8080"));
        assert!(!conflict("127.0.0.1:0", "127.0.0.1:0"));
        assert!(!conflict("10.0.0.1:80", "127.0.0.1:80"));
        assert!(!conflict("0.0.0.0:80", "127.0.0.1:81"));
    }
}
