//! Finds the processes of a suite's PostgreSQL and Kafka, if they run on this machine.

use super::Processes;
use super::listener::listening;
use super::stat::Stat;
use quintet_suite::Suite;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::str::FromStr;

/// Process ids that the user gave on the command line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hints {
    pub(crate) postgres: Option<u32>,
    pub(crate) kafka: Option<u32>,
}

/// PostgreSQL's main process with its children, which serve the connections. `None` without PostgreSQL.
pub(super) async fn postmaster(suite: &Suite, hints: &Hints) -> Option<Processes> {
    let url = databases(suite).next()?;
    let pid = match hints.postgres {
        Some(pid) => Some(pid),
        None => parent_of_a_backend(url).await,
    };
    Some(pid.map_or(Processes::Elsewhere, Processes::Family))
}

/// The brokers' processes. `None` without Kafka.
pub(super) fn broker(suite: &Suite, hints: &Hints) -> Option<Processes> {
    let brokers = suite.bus.url.strip_prefix("kafka:")?;
    if let Some(pid) = hints.kafka {
        return Some(Processes::of(vec![pid]));
    }
    let ports = brokers.split(',').filter_map(|broker| {
        let (host, port) = broker.rsplit_once(':')?;
        is_this_machine(host).then(|| port.parse().ok())?
    });
    Some(Processes::of(ports.flat_map(listening).collect()))
}

/// The number of transactions that the suite's databases have committed, as PostgreSQL counts them. `None` without
/// PostgreSQL, or when a database cannot be asked.
pub(crate) async fn committed(suite: &Suite) -> Option<i64> {
    let sql = "select xact_commit from pg_stat_database where datname = current_database()";
    let mut sum = None;
    for url in databases(suite) {
        let mut connection = connect(url).await?;
        let commits: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.ok()?;
        // The answer has been read, so an error while the connection closes changes nothing.
        let _ = connection.close().await;
        sum = Some(sum.unwrap_or(0) + commits);
    }
    sum
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
    if options.get_socket().is_none() && !is_this_machine(options.get_host()) {
        return None;
    }
    let mut connection = connect(url).await?;
    let query = sqlx::query_scalar::<_, i32>("select pg_backend_pid()");
    let backend = Stat::of(u32::try_from(query.fetch_one(&mut connection).await.ok()?).ok()?)?;
    let _ = connection.close().await;
    // A server in a container reports a process id of its own namespace. Out here that id may belong to another program.
    let is_postgres = |stat: &Stat| stat.name.starts_with("postgres");
    let postmaster = Stat::of(backend.parent)?;
    (is_postgres(&backend) && is_postgres(&postmaster)).then_some(backend.parent)
}

fn is_this_machine(host: &str) -> bool {
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
        // The processes of a server in a container are not visible here.
        if let Some(stat) = found.and_then(Stat::of) {
            assert!(stat.name.starts_with("postgres"), "{stat:?}");
        }
    }

    #[test]
    fn only_the_loopback_interface_is_surely_this_machine() {
        for host in ["localhost", "127.0.0.1", "[::1]", "/var/run/postgresql"] {
            assert!(is_this_machine(host), "{host}");
        }
        assert!(!is_this_machine("db.example.com") && !is_this_machine("10.0.0.1"));
    }
}
