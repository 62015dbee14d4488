//! Settings. A service's commented `config.toml` is the documentation and, compiled in, the defaults.

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
    /// The admin listener: on loopback unless told otherwise.
    pub admin_listen: SocketAddr,
    /// Which web pages may call the public listener.
    pub cors: Cors,
    /// What clients may take of the listeners.
    pub http: Http,
    /// The service's own database.
    pub database: Database,
    /// The broker.
    pub bus: Bus,
    /// Passed on to librdkafka as they are.
    pub kafka: BTreeMap<String, String>,
    /// What may wait for the engine.
    pub commands: Queue,
    /// What may wait for the broker.
    pub outbox: Limit,
    /// What is remembered of what came.
    pub inbox: Inbox,
    /// How the outside world is asked.
    pub effects: Effects,
    /// How the engine behaves.
    pub engine: EngineConfig,
    /// What is recorded of traces.
    pub traces: Traces,
    /// What is logged, and how.
    pub log: Log,
}

/// See [`Config::cors`].
#[derive(Debug, Clone, Deserialize)]
pub struct Cors {
    /// Their origins, such as `https://shop.example`; none: no page of another origin may call.
    pub origins: Vec<String>,
}

/// See [`Config::database`].
#[derive(Debug, Clone, Deserialize)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER@HOST/DB`.
    pub url: String,
    /// Connections at most, with PostgreSQL.
    pub connections: u32,
    /// Mebibytes that a SQLite file may grow to; 0 for no limit.
    pub max_mib: u32,
}

/// See [`Config::bus`].
#[derive(Debug, Clone, Deserialize)]
pub struct Bus {
    /// `log:PATH` or `kafka:HOST:PORT,…`.
    pub url: String,
    /// Put before the names of topics and groups.
    pub namespace: String,
    /// Partitions of topics that this service creates.
    pub partitions: i32,
}

/// See [`Config::commands`].
#[derive(Debug, Clone, Deserialize)]
pub struct Queue {
    /// Requests that may wait; more are refused with 429.
    pub queue: usize,
}

/// See [`Config::outbox`].
#[derive(Debug, Clone, Deserialize)]
pub struct Limit {
    /// Events that may wait; then requests are refused with 503.
    pub limit: usize,
}

/// See [`Config::inbox`].
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Inbox {
    /// Whether it forgets what no topic can bring again.
    pub prune: bool,
}

/// See [`Config::effects`].
#[derive(Debug, Clone, Deserialize)]
pub struct Effects {
    /// Requests to the outside world under way at once.
    pub concurrency: usize,
    /// How long each may take.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub timeout: Duration,
    /// The longest pause between two attempts.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub backoff_max: Duration,
    /// A request without an answer for so long is held for an operator.
    #[serde(deserialize_with = "seconds::deserialize")]
    pub hold_after: Duration,
}

/// See [`Config::engine`].
#[derive(Debug, Clone, Deserialize)]
pub struct EngineConfig {
    /// Inputs in one transaction, at most.
    pub batch: usize,
}

/// See [`Config::traces`].
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Traces {
    /// The share that is recorded where the caller has not decided, 0 to 1.
    pub sample: f64,
}

/// See [`Config::log`].
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    /// `pretty` or `json`.
    pub format: LogFormat,
    /// As of `RUST_LOG`: a level, or levels by module.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person.
    Pretty,
    /// For a machine: one JSON object a line.
    Json,
}

impl Config {
    /// The engine's settings. With SQLite a service is one process, so its engine is exclusive.
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
            claim: self.effects.timeout * 3,
            backoff_max: self.effects.backoff_max,
            hold_after: self.effects.hold_after,
            messaging: Arc::new(self.messaging(client)),
            ..engine::Settings::default()
        }
    }

    /// The log has no name among `OpenTelemetry`'s, and no server.
    fn messaging(&self, client: &str) -> Messaging {
        let given = self.kafka.get("client.id").cloned();
        let client_id = given.unwrap_or_else(|| client.to_owned());
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

/// Whether nobody can listen on an address beside a listener on the other.
fn is_taken(address: SocketAddr, other: SocketAddr) -> bool {
    let same = address.ip() == other.ip();
    let everywhere = address.ip().is_unspecified() || other.ip().is_unspecified();
    // Port 0 is whichever is free.
    address.port() != 0 && address.port() == other.port() && (same || everywhere)
}

/// For a service without settings of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct NoConfig {}

impl Config {
    /// Refuses what the types let through and the engine cannot work with.
    ///
    /// # Errors
    /// Naming the first such setting.
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
        if is_taken(self.admin_listen, self.listen) {
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
        let taken = |one: &str, other: &str| is_taken(one.parse().unwrap(), other.parse().unwrap());
        assert!(taken("127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(taken("0.0.0.0:8080", "127.0.0.1:8080"));
        assert!(taken("127.0.0.1:8080", "[::]:8080"));
        assert!(!taken("127.0.0.1:0", "127.0.0.1:0"));
        assert!(!taken("10.0.0.1:80", "127.0.0.1:80"));
        assert!(!taken("0.0.0.0:80", "127.0.0.1:81"));
    }
}
