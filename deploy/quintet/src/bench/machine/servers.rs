//! PostgreSQL and Kafka behind a suite, if they run on this machine.

use super::listener::listening;
use super::stat::Stat;
use super::{Watched, processes};
use quintet_suite::Suite;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::str::FromStr;

/// Where the user says that they are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hints {
    pub(crate) postgres: Option<u32>,
    pub(crate) kafka: Option<u32>,
}

/// The server's main process, whose children serve the connections. `None` without PostgreSQL.
pub(super) async fn postmaster(suite: &Suite, hints: &Hints) -> Option<Watched> {
    let url = databases(suite).next()?;
    let found = match hints.postgres {
        Some(pid) => Some(pid),
        None => parent_of_a_backend(url).await,
    };
    Some(found.map_or(Watched::Elsewhere, Watched::Family))
}

/// The brokers' processes. `None` without Kafka.
pub(super) fn broker(suite: &Suite, hints: &Hints) -> Option<Watched> {
    let brokers = suite.bus.url.strip_prefix("kafka:")?;
    if let Some(pid) = hints.kafka {
        return Some(processes(vec![pid]));
    }
    let ports = brokers.split(',').filter_map(|broker| {
        let (host, port) = broker.rsplit_once(':')?;
        is_here(host).then(|| port.parse().ok())?
    });
    Some(processes(ports.flat_map(listening).collect()))
}

/// The transactions that the suite's databases have committed, as PostgreSQL counts them.
pub(crate) async fn committed(suite: &Suite) -> Option<i64> {
    let sql = "select xact_commit from pg_stat_database where datname = current_database()";
    let mut all = None;
    for url in databases(suite) {
        let mut connection = connect(url).await?;
        let commits: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.ok()?;
        // It has been answered; how the connection ends changes nothing.
        let _ = connection.close().await;
        all = Some(all.unwrap_or(0) + commits);
    }
    all
}

fn databases(suite: &Suite) -> impl Iterator<Item = &str> {
    let urls = suite.services.values().map(|service| service.database.as_str());
    urls.filter(|url| url.starts_with("postgres"))
}

async fn connect(url: &str) -> Option<PgConnection> {
    PgConnectOptions::from_str(url).ok()?.connect().await.ok()
}

async fn parent_of_a_backend(url: &str) -> Option<u32> {
    let options = PgConnectOptions::from_str(url).ok()?;
    if options.get_socket().is_none() && !is_here(options.get_host()) {
        return None;
    }
    let mut connection = connect(url).await?;
    let ask = sqlx::query_scalar::<_, i32>("select pg_backend_pid()");
    let backend = Stat::of(u32::try_from(ask.fetch_one(&mut connection).await.ok()?).ok()?)?;
    let _ = connection.close().await;
    // In a container it has another id out here, which may be a stranger's.
    let is_postgres = |stat: &Stat| stat.name.starts_with("postgres");
    let head = Stat::of(backend.parent)?;
    (is_postgres(&backend) && is_postgres(&head)).then_some(backend.parent)
}

fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.starts_with('/') || host.starts_with("127.") || host == "::1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_of_this_machine_is_found_by_its_backend() {
        let Some(url) = testkit::postgres() else {
            return;
        };
        let found = parent_of_a_backend(&format!("{url}/postgres")).await;
        // In a container there is nothing to be seen.
        if let Some(stat) = found.and_then(Stat::of) {
            assert!(stat.name.starts_with("postgres"), "{stat:?}");
        }
    }

    #[test]
    fn only_the_loopback_interface_is_surely_this_machine() {
        for here in ["localhost", "127.0.0.1", "[::1]", "/var/run/postgresql"] {
            assert!(is_here(here), "{here}");
        }
        assert!(!is_here("db.example.com") && !is_here("10.0.0.1"));
    }
}
