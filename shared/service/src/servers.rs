//! Opens the database and the bus of a service while it starts.
//!
//! The two behave differently. A Kafka broker may be away: [`connect_bus`] does not ask it anything, and the
//! engine connects later. The database must answer before the service goes on, as its tables have to be
//! migrated: [`open_database`] waits for it.

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

/// The pause between two attempts to open a database that is away.
const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// Checks the settings of the database and the bus without connecting to either.
///
/// # Errors
/// Naming the setting that cannot be used.
pub(crate) async fn check_servers(client: &str, config: &Config) -> anyhow::Result<()> {
    let Database { url, connections, max_mib } = &config.database;
    // Opening a SQLite file or an embedded log would create it, and a check must leave no files behind.
    if url.strip_prefix("sqlite:").is_none_or(str::is_empty) {
        Db::connect_within(url, *connections, *max_mib).await?;
    }
    if config.bus.url.strip_prefix("log:").is_none_or(str::is_empty) {
        connect_bus(client, config).await?;
    }
    Ok(())
}

/// Opens the bus. With Kafka this only makes the client; with the embedded log it opens or creates the file.
///
/// # Errors
/// If a setting cannot be used or the log's file cannot be opened; the error names the setting.
pub(crate) async fn connect_bus(client: &str, config: &Config) -> anyhow::Result<Arc<dyn Bus>> {
    bus::connect(&bus_settings(client, config)).await.map_err(|error| match error {
        BusError::Settings { .. } => error.into(),
        error => anyhow::Error::new(error).context("bus.url"),
    })
}

/// Makes sure that one process alone works on a SQLite file, by a lock on the file `PATH.lock` beside it. Its engine
/// sends committed events from memory, so that a second process would send events of the same aggregate out of
/// order. The lock lasts as long as the process. Other databases need none.
///
/// # Errors
/// If another process holds the lock, or its file cannot be created.
pub(crate) fn lock_file(url: &str) -> anyhow::Result<()> {
    let Some(path) = url.strip_prefix("sqlite:").filter(|path| *path != ":memory:") else {
        return Ok(());
    };
    let path = format!("{path}.lock");
    let file = File::create(&path).with_context(|| format!("database.url: {path}"))?;
    file.try_lock().with_context(|| {
        format!("database.url: another process works on {url}; several replicas need PostgreSQL")
    })?;
    // The file must stay open, since closing it releases the lock. The operating system closes it when the process
    // ends, however that comes about.
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

/// Opens and migrates the database. While it is away, this tries again every [`DATABASE_RETRY`] without an end, and
/// logs the reason now and then.
///
/// # Errors
/// If the database answers and refuses: the URL, the rights, a pooler, a migration.
pub(crate) async fn open_database<S: Service>(config: &Config) -> anyhow::Result<Db> {
    let reported = LogThrottle::default();
    loop {
        let error = match try_open_database::<S>(config).await {
            Ok(db) => return Ok(db),
            Err(error) if error.is_away() => error,
            Err(error) => return Err(error.into()),
        };
        if reported.should_log(&error.to_string(), Instant::now()) {
            tracing::warn!(%error, "{} waits for its database", S::NAME);
        }
        sleep(DATABASE_RETRY).await;
    }
}

async fn try_open_database<S: Service>(config: &Config) -> Result<Db, StoreError> {
    let Database { url, connections, max_mib } = &config.database;
    let db = Db::connect_within(url, *connections, *max_mib).await?;
    // Before the migrations, which take an advisory lock. Behind a pooler that gives each transaction another
    // session, that lock and prepared statements would fail, or fail only later, in the middle of the work.
    db.require_sessions().await?;
    db.migrate(engine::migrations().and(S::migrations())).await?;
    Ok(db)
}
