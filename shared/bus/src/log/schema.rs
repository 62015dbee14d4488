//! The tables of the log, and the connections to its file.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use crate::{BusError, Topic};

/// The version of the tables, to be raised with each change. A file of another version is refused.
const VERSION: i64 = 2;

const TABLES: &str = "
create table topic (
    name text not null primary key,
    partitions integer not null,
    compacted integer not null
) strict, without rowid;

-- The offset that the next record gets. Each partition has a row, which is made with the topic.
create table head (
    topic text not null,
    partition integer not null,
    next integer not null,
    primary key (topic, partition)
) strict, without rowid;

create table record (
    topic text not null,
    partition integer not null,
    offset integer not null,
    key blob not null,
    headers blob not null, -- as `event::Headers` lays them out
    value blob not null,
    at integer not null,   -- milliseconds since 1970
    primary key (topic, partition, offset)
) strict, without rowid;

create table group_offset (
    \"group\" text not null,
    topic text not null,
    partition integer not null,
    next integer not null,
    primary key (\"group\", topic, partition)
) strict, without rowid;

-- Which group reads which topics. Retention keeps the records that a subscribed group has not read.
create table subscription (
    \"group\" text not null,
    topic text not null,
    primary key (\"group\", topic)
) strict, without rowid;
";

/// A connection that writes, and creates the tables if there are none. The caller holds the lock file, because
/// no other connection may be open while `SQLite` switches the file to WAL mode.
pub(super) async fn writer(path: &Path) -> Result<SqliteConnection, BusError> {
    let mut connection = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await
        .map_err(BusError::db)?;
    let version: i64 = sqlx::query_scalar("pragma user_version")
        .fetch_one(&mut connection)
        .await
        .map_err(BusError::db)?;
    match version {
        VERSION => {}
        0 => create(&mut connection).await?,
        other => {
            let why = format!(
                "{} is a log of version {other}, this program reads version {VERSION}",
                path.display()
            );
            return Err(BusError::settings("bus.url", why));
        }
    }
    Ok(connection)
}

/// A writing connection to an existing log, which waits for readers for this long.
pub(super) async fn writing(
    path: &Path,
    busy_timeout: Duration,
) -> Result<SqliteConnection, BusError> {
    options(path).busy_timeout(busy_timeout).connect().await.map_err(BusError::db)
}

/// A connection that only reads.
pub(super) async fn reader(path: &Path) -> Result<SqliteConnection, BusError> {
    options(path).pragma("query_only", "on").connect().await.map_err(BusError::db)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        // Writers wait for each other by the lock file. This is for a checkpoint, the only other reason to wait.
        .busy_timeout(Duration::from_secs(5))
}

async fn create(connection: &mut SqliteConnection) -> Result<(), BusError> {
    let statement = format!("begin immediate; {TABLES} pragma user_version = {VERSION}; commit;");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map_err(BusError::db)?;
    Ok(())
}

/// The names of the compacted topics.
pub(super) async fn compacted(
    connection: &mut SqliteConnection,
) -> Result<HashSet<String>, BusError> {
    let names = sqlx::query_scalar("select name from topic where compacted");
    let names: Vec<String> = names.fetch_all(connection).await.map_err(BusError::db)?;
    Ok(names.into_iter().collect())
}

/// Adds the topic with its partitions, unless it exists.
pub(super) async fn create_topic(
    connection: &mut SqliteConnection,
    name: &str,
    topic: &Topic,
) -> Result<(), BusError> {
    let added = sqlx::query("insert into topic values (?, ?, ?) on conflict do nothing")
        .bind(name)
        .bind(topic.partitions)
        .bind(topic.compacted)
        .execute(&mut *connection)
        .await
        .map_err(BusError::db)?;
    if added.rows_affected() == 0 {
        return Ok(());
    }
    for partition in 0..topic.partitions {
        sqlx::query("insert into head values (?, ?, 0)")
            .bind(name)
            .bind(partition)
            .execute(&mut *connection)
            .await
            .map_err(BusError::db)?;
    }
    Ok(())
}
