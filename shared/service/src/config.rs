use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, bail};
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Service;

/// The settings that every service has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    /// The public listener.
    pub listen: SocketAddr,
    /// The admin listener: on loopback unless told otherwise.
    pub admin_listen: SocketAddr,
    /// The service's own database.
    pub database: Database,
    /// The broker.
    pub bus: Bus,
    /// Passed on to librdkafka as they are.
    #[serde(default)]
    pub kafka: BTreeMap<String, String>,
    /// What may wait for the engine.
    pub commands: Queue,
    /// What may wait for the broker.
    pub outbox: Limit,
    /// How the outside world is asked.
    pub effects: Effects,
    /// How the engine behaves.
    pub engine: EngineConfig,
    /// What is logged, and how.
    pub log: Log,
}

/// See [`Config::database`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER@HOST/DB`.
    pub url: String,
    /// Connections at most, with PostgreSQL.
    pub connections: u32,
}

/// See [`Config::bus`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bus {
    /// `log:PATH` or `kafka:HOST:PORT,…`.
    pub url: String,
    /// Put before the names of topics and groups.
    pub namespace: String,
    /// Partitions of topics that this service creates.
    pub partitions: i32,
}

/// See [`Config::commands`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Queue {
    /// Requests that may wait; more are refused with 429.
    pub queue: usize,
}

/// See [`Config::outbox`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limit {
    /// Events that may wait; then requests are refused with 503.
    pub limit: usize,
}

/// See [`Config::effects`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Effects {
    /// Requests to the outside world under way at once.
    pub concurrency: usize,
    /// How long each may take.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// The longest pause between two attempts.
    #[serde(with = "seconds")]
    pub backoff_max: Duration,
}

/// See [`Config::engine`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EngineConfig {
    /// Inputs in one transaction, at most.
    pub batch: usize,
}

/// See [`Config::log`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Log {
    /// `pretty` or `json`.
    pub format: LogFormat,
    /// As of `RUST_LOG`: a level, or levels by module.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person.
    Pretty,
    /// For a machine: one JSON object a line.
    Json,
}

impl Config {
    /// The defaults of a service of this name on this port.
    #[must_use]
    pub fn defaults(name: &str, port: u16) -> Self {
        let engine = engine::Settings::default();
        Self {
            listen: ([127, 0, 0, 1], port).into(),
            admin_listen: ([127, 0, 0, 1], port + 100).into(),
            database: Database { url: format!("sqlite:.quintet/{name}.db"), connections: 8 },
            bus: Bus { url: "log:.quintet/bus.db".into(), namespace: String::new(), partitions: 3 },
            kafka: BTreeMap::new(),
            commands: Queue { queue: engine.commands_queue },
            outbox: Limit { limit: engine.outbox_limit },
            effects: Effects {
                concurrency: engine.effects_concurrency,
                timeout: engine.effects_timeout,
                backoff_max: engine.backoff_max,
            },
            engine: EngineConfig { batch: engine.batch },
            log: Log { format: LogFormat::Pretty, filter: "info".into() },
        }
    }

    /// The engine's settings. With SQLite a service is one process, so its engine is exclusive.
    #[must_use]
    pub fn engine_settings(&self) -> engine::Settings {
        engine::Settings {
            batch: self.engine.batch,
            commands_queue: self.commands.queue,
            outbox_limit: self.outbox.limit,
            exclusive: self.database.url.starts_with("sqlite:"),
            effects_concurrency: self.effects.concurrency,
            effects_timeout: self.effects.timeout,
            claim: self.effects.timeout * 3,
            backoff_max: self.effects.backoff_max,
            ..engine::Settings::default()
        }
    }
}

/// For a service without settings of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoConfig {}

/// Reads a service's settings: the defaults, then the file, then `QUINTET_<SERVICE>__KEY` in the
/// environment, each over the ones before.
///
/// # Errors
/// Naming the setting and where it came from.
pub(crate) fn load<S: Service>(file: Option<&Path>) -> anyhow::Result<(Config, S::Config)> {
    let mut figment = Figment::from(Serialized::defaults(Config::defaults(S::NAME, S::PORT)))
        .merge(Serialized::defaults(S::Config::default()));
    if let Some(file) = file {
        figment = figment.merge(Toml::file_exact(file));
    }
    let prefix = format!("QUINTET_{}__", S::NAME.to_uppercase());
    figment = figment.merge(Env::prefixed(&prefix).split("__"));
    let config = extract(&figment)?;
    check(&config)?;
    Ok((config, extract(&figment)?))
}

/// What the types let through and the engine cannot work with.
fn check(config: &Config) -> anyhow::Result<()> {
    let positive = [
        ("database.connections", config.database.connections > 0),
        ("bus.partitions", config.bus.partitions > 0),
        ("commands.queue", config.commands.queue > 0),
        ("outbox.limit", config.outbox.limit > 0),
        ("effects.concurrency", config.effects.concurrency > 0),
        ("effects.timeout", !config.effects.timeout.is_zero()),
        ("effects.backoff_max", !config.effects.backoff_max.is_zero()),
        ("engine.batch", config.engine.batch > 0),
    ];
    let wrong = positive.iter().find(|(_, positive)| !positive);
    wrong.map_or(Ok(()), |(name, _)| bail!("configuration: {name} must be more than 0"))
}

fn extract<T: DeserializeOwned>(figment: &Figment) -> anyhow::Result<T> {
    figment.extract().context("configuration")
}

/// Durations as people write them: `10s`, `1m 30s`, `2h`.
pub mod seconds {
    use std::time::Duration;

    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes it as a person would.
    ///
    /// # Errors
    /// Those of the format; a duration of over 292 billion years cannot be written.
    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        let signed = SignedDuration::try_from(*duration).map_err(serde::ser::Error::custom)?;
        to.serialize_str(&format!("{signed:#}"))
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is not a duration, or a negative one.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        let signed: SignedDuration = text
            .parse()
            .map_err(|_| D::Error::custom(format!("{text:?} is no duration such as 10s or 5m")))?;
        Duration::try_from(signed).map_err(|_| {
            D::Error::custom(format!("{text:?} is negative; give a positive duration"))
        })
    }
}
