//! The database and the broker that a service works with.

use std::{
    fs::File,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use bus::{Bus, BusError, LogThrottle};
use store::{Db, StoreError};
use tokio::time::sleep;

use crate::{Config, Service, config::Database};

/// The pause between two looks for a database that is away.
const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// What can be said of the database's and the broker's settings without asking either.
pub(crate) async fn check_servers(client: &str, config: &Config) -> anyhow::Result<()> {
    let Database { url, connections, max_mib } = &config.database;
    // A file would be created.
    if url.strip_prefix("sqlite:").is_none_or(str::is_empty) {
        Db::connect_within(url, *connections, *max_mib).await?;
    }
    if config.bus.url.strip_prefix("log:").is_none_or(str::is_empty) {
        connect_bus(client, config).await?;
    }
    Ok(())
}

pub(crate) async fn connect_bus(client: &str, config: &Config) -> anyhow::Result<Arc<dyn Bus>> {
    bus::connect(&bus_settings(client, config)).await.map_err(|error| match error {
        BusError::Settings { .. } => error.into(),
        // All others name no setting.
        error => anyhow::Error::new(error).context("bus.url"),
    })
}

/// With SQLite a service is one process, and its engine sends from memory: a second one on the same
/// file would send out of order. The lock lasts as long as the process.
pub(crate) fn lock_file(url: &str) -> anyhow::Result<()> {
    let Some(path) = url.strip_prefix("sqlite:").filter(|path| *path != ":memory:") else {
        return Ok(());
    };
    let path = format!("{path}.lock");
    let file = File::create(&path).with_context(|| format!("database.url: {path}"))?;
    file.try_lock().with_context(|| {
        format!("database.url: another process works on {url}; several replicas need PostgreSQL")
    })?;
    // Never closed: the operating system lets go of it when the process ends.
    std::mem::forget(file);
    Ok(())
}

fn bus_settings(client: &str, config: &Config) -> bus::Settings {
    bus::Settings {
        url: config.bus.url.clone(),
        namespace: config.bus.namespace.clone(),
        client: client.to_owned(),
        kafka: config.kafka.clone(),
    }
}

pub(crate) async fn open_database<S: Service>(config: &Config) -> anyhow::Result<Db> {
    let said = LogThrottle::default();
    loop {
        let error = match try_open_database::<S>(config).await {
            Ok(db) => return Ok(db),
            Err(error) if error.is_away() => error,
            Err(error) => return Err(error.into()),
        };
        if said.should_log(&error.to_string(), Instant::now()) {
            tracing::warn!(%error, "{} waits for its database", S::NAME);
        }
        sleep(DATABASE_RETRY).await;
    }
}

async fn try_open_database<S: Service>(config: &Config) -> Result<Db, StoreError> {
    let Database { url, connections, max_mib } = &config.database;
    let db = Db::connect_within(url, *connections, *max_mib).await?;
    db.require_sessions().await?;
    db.migrate(engine::migrations().and(S::migrations())).await?;
    Ok(db)
}
