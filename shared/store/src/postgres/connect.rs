use std::{pin::pin, str::FromStr, time::Duration};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolBuilder, PoolError,
    QueueMode, RecyclingMethod, Runtime,
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use super::{Parameters, Transaction};
use crate::{Row, StoreError, db::ACQUIRE_TIMEOUT, error::message_of, tx::Native};

/// A PostgreSQL server, and the connections to it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Connections with our [`SETTINGS`].
    pool: Pool,
    /// Connections with the server's own settings, to find out whether there is a pooler in between.
    plain: Pool,
    /// For the tasks that sqlx does: migrating and listening.
    pub(crate) options: PgConnectOptions,
}

/// The settings of each connection. They are set by statements after it is open, because PgBouncer refuses
/// settings in the start-up packet.
const SETTINGS: [(&str, &str); 7] = [
    // A batch finds its rows by their keys. So each statement is planned once, and no plan may read a whole
    // table, even if the table was empty when the plan was made. The planner's statistics may be a minute old.
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Where only a scan is possible, its forbidden plan looks so expensive that PostgreSQL would compile it.
    ("jit", "off"),
    // A replica that was stopped must not hold its locks for ever.
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "5s"),
];

/// How long [`Server::require_sessions`] may take.
const PROBE: Duration = Duration::from_secs(10);

/// How long a pooler may take to give a connection a session, in [`Server::require_sessions`].
const SERVED_WITHIN: Duration = Duration::from_secs(3);

/// After so long without traffic TCP probes a connection, so that a dead one is found.
const KEEPALIVE: Duration = Duration::from_secs(30);

impl Server {
    /// The server at this URL, which need not be reachable yet.
    pub(crate) fn at(url: &str, connections: u32) -> Result<Self, String> {
        let options = PgConnectOptions::from_str(url).map_err(|error| error.to_string())?;
        let (url, tls) = Tls::split(url)?;
        let options = options.ssl_mode(match tls {
            Tls::Off => PgSslMode::Disable,
            Tls::Checked { .. } => PgSslMode::VerifyFull,
        });
        // PgBouncer does not know this setting, and refuses a client that sends it.
        let options = options.extra_float_digits(None);
        let mut config = Config::from_str(&url).map_err(|error| message_of(&error))?;
        let settings = settings(config.get_options().unwrap_or_default());
        config.keepalives_idle(KEEPALIVE).connect_timeout(ACQUIRE_TIMEOUT);
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        let plain = tls
            .manager(config.clone())?
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(ACQUIRE_TIMEOUT))
            .build()
            .map_err(|error| error.to_string())?;
        let pool = tls
            .manager(config)?
            .max_size(connections)
            // Successive batches use the same connection, whose server process has plans, catalogue and
            // pages in memory.
            .queue_mode(QueueMode::Lifo)
            .post_create(Hook::async_fn(move |connection, _| {
                let settings = settings.clone();
                Box::pin(async move {
                    let set = timeout(ACQUIRE_TIMEOUT, connection.batch_execute(&settings)).await;
                    let set = set.map_err(|_| HookError::message("the server does not answer"))?;
                    set.map_err(HookError::Backend)
                })
            }))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .create_timeout(Some(ACQUIRE_TIMEOUT))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { pool, plain, options })
    }

    async fn connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(refused)
    }

    /// Begins a transaction by these statements: `begin`, and perhaps others.
    pub(crate) async fn begin(&self, statements: &str) -> Result<Transaction, StoreError> {
        Transaction::begin(self.connection().await?, statements)
    }

    /// Runs a query outside any transaction.
    pub(crate) async fn fetch(
        &self,
        sql: &str,
        values: Parameters,
    ) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection().await?;
        let statement = connection.prepare_cached(sql).await.map_err(StoreError::postgres)?;
        let rows = connection.query(&statement, &values.borrowed()).await;
        let rows = rows.map_err(StoreError::postgres)?;
        Ok(rows.into_iter().map(|row| Row(Native::Postgres(row))).collect())
    }

    /// Runs a statement in a transaction of its own, and returns how many rows it changed.
    pub(crate) async fn execute(&self, sql: &str, values: Parameters) -> Result<u64, StoreError> {
        let connection = self.connection().await?;
        let statement = connection.prepare_cached(sql).await.map_err(StoreError::postgres)?;
        let done = connection.execute(&statement, &values.borrowed()).await;
        let done = done.map_err(StoreError::postgres);
        if done.as_ref().is_err_and(StoreError::is_read_only) {
            // This session may stay read-only when the server accepts writes again.
            drop(Object::take(connection));
        }
        done
    }

    /// Succeeds if the server answers and accepts writes.
    pub(crate) async fn require_writable(&self) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let answer = async {
            let statement = connection.prepare_cached("show transaction_read_only").await?;
            connection.query_one(&statement, &[]).await?.try_get::<_, String>(0)
        };
        if answer.await.map_err(StoreError::postgres)? == "off" {
            return Ok(());
        }
        // This session may stay read-only when the server accepts writes again.
        drop(Object::take(connection));
        Err(StoreError::ReadOnly)
    }

    /// Succeeds if a connection keeps the same session of the server for as long as it lasts. A pooler that
    /// changes sessions is found by the process of the server that serves a transaction:
    ///
    /// 1. Two transactions at a time have two sessions, A and B ([`require_one_each`]).
    /// 2. When both have ended, such a pooler has both sessions free, and gives the next transaction either the
    ///    one that came back first or the one that came back last.
    /// 3. So the first connection gets another session in one of the two orders of ending.
    pub(crate) async fn require_sessions(&self) -> Result<(), StoreError> {
        let probing = async {
            let (one, two) = (self.session().await?, self.session().await?);
            require_one_each(&one, &two).await?;
            for (first, last) in [(&one, &two), (&two, &one)] {
                let before = begin(&one).await?;
                begin(&two).await?;
                commit(first).await?;
                commit(last).await?;
                let after = begin(&one).await?;
                commit(&one).await?;
                if before != after {
                    return Err(StoreError::Pooled);
                }
            }
            Ok(())
        };
        timeout(PROBE, probing).await.unwrap_or(Err(StoreError::TimedOut))
    }

    /// A connection that is taken out of the pool, with the server's own settings.
    async fn session(&self) -> Result<ClientWrapper, StoreError> {
        self.plain.get().await.map(Object::take).map_err(refused)
    }

    /// Takes every connection that the pool may have.
    pub(crate) async fn take_all(&self) -> Result<Vec<Object>, StoreError> {
        let mut taken = Vec::new();
        for _ in 0..self.pool.status().max_size {
            taken.push(self.connection().await?);
        }
        Ok(taken)
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

fn refused(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            StoreError::postgres(error)
        }
        PoolError::PostCreateHook(HookError::Message(_)) => StoreError::NoAnswer,
        // The pool is closed, or no connection became free in time.
        _ => StoreError::TimedOut,
    }
}

/// The statements that set [`SETTINGS`], except those that the options of the URL set.
fn settings(url_options: &str) -> String {
    let ours = SETTINGS.iter().filter(|(name, _)| !url_options.contains(&format!("{name}=")));
    ours.map(|(name, value)| format!("set {name} = '{value}'")).collect::<Vec<_>>().join("; ")
}

/// Begins a transaction and returns the id of the server process that serves it.
async fn begin(session: &ClientWrapper) -> Result<Option<String>, StoreError> {
    let answers = session.simple_query("begin; select pg_backend_pid()").await;
    let answers = answers.map_err(|error| {
        // PgBouncer with pool_mode = statement refuses to begin a transaction.
        let refused =
            error.as_db_error().is_some_and(|error| error.message().contains("statement pooling"));
        if refused { StoreError::Pooled } else { StoreError::postgres(error) }
    })?;
    Ok(answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
        _ => None,
    }))
}

async fn commit(session: &ClientWrapper) -> Result<(), StoreError> {
    session.batch_execute("commit").await.map_err(StoreError::postgres)
}

/// Succeeds if two transactions at a time have a session each. A pooler with a single session lets the second
/// transaction wait. If the pooler changes sessions, the wait ends with the first transaction, and both have had
/// the same session. If it keeps sessions, the wait goes on: then there are too few sessions.
async fn require_one_each(one: &ClientWrapper, two: &ClientWrapper) -> Result<(), StoreError> {
    let unserved = |_| StoreError::NoAnswer;
    let of_one = timeout(SERVED_WITHIN, begin(one)).await.map_err(unserved)??;
    let mut beginning = pin!(begin(two));
    let begun = timeout(SERVED_WITHIN, &mut beginning).await;
    commit(one).await?;
    let of_two = match begun {
        Ok(begun) => begun?,
        Err(_) => timeout(SERVED_WITHIN, beginning).await.map_err(unserved)??,
    };
    commit(two).await?;
    if of_one == of_two { Err(StoreError::Pooled) } else { Ok(()) }
}

/// What the URL says about TLS.
#[derive(Debug, PartialEq, Eq)]
enum Tls {
    Off,
    /// The server's certificate is checked against the certificates in a file, or else the system's.
    Checked {
        roots: Option<String>,
    },
}

impl Tls {
    /// Takes `sslmode` and `sslrootcert` out of the URL's query and returns the URL for the client. TLS always
    /// includes the checks: `require`, `verify-ca` and `verify-full` mean the same.
    fn split(url: &str) -> Result<(String, Self), String> {
        let Some((base, query)) = url.split_once('?') else {
            return Ok((format!("{url}?sslmode=disable"), Self::Off));
        };
        let (mut tls, mut roots, mut rest) = (false, None, Vec::new());
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => {
                    tls = match mode {
                        "disable" | "allow" | "prefer" => false,
                        "require" | "verify-ca" | "verify-full" => true,
                        _ => return Err(format!("sslmode={mode}: use disable or verify-full")),
                    }
                }
                Some(("sslrootcert", file)) => roots = Some(file.to_owned()),
                _ => rest.push(pair),
            }
        }
        let mode = if tls { "sslmode=require" } else { "sslmode=disable" };
        rest.push(mode);
        let tls = if tls { Self::Checked { roots } } else { Self::Off };
        Ok((format!("{base}?{}", rest.join("&")), tls))
    }

    fn manager(&self, config: Config) -> Result<PoolBuilder, String> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match self {
            Self::Off => Manager::from_config(config, NoTls, recycling),
            #[cfg(feature = "tls")]
            Self::Checked { roots } => {
                Manager::from_config(config, super::tls::connector(roots.as_deref())?, recycling)
            }
            #[cfg(not(feature = "tls"))]
            Self::Checked { .. } => {
                return Err("this build has no TLS: build it with --features tls".to_owned());
            }
        };
        Ok(Pool::builder(manager))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_the_url_sets_is_not_overridden() {
        assert!(settings("").starts_with("set plan_cache_mode = 'force_generic_plan'; "));
        let others = settings("-c lock_timeout=1s");
        assert!(!others.contains("set lock_timeout") && others.contains("set jit"), "{others}");
    }

    #[test]
    fn tls_is_used_if_the_url_asks_for_it_and_always_checked() {
        let off = |url: &str| (format!("{url}sslmode=disable"), Tls::Off);
        assert_eq!(Tls::split("postgres://h/d").unwrap(), off("postgres://h/d?"));
        assert_eq!(
            Tls::split("postgres://h/d?a=b&sslmode=prefer").unwrap(),
            off("postgres://h/d?a=b&")
        );
        let roots = Some("/ca.pem".to_owned());
        let (url, tls) =
            Tls::split("postgres://h/d?sslmode=verify-full&sslrootcert=/ca.pem").unwrap();
        assert_eq!((url.as_str(), tls), ("postgres://h/d?sslmode=require", Tls::Checked { roots }));
        assert!(Tls::split("postgres://h/d?sslmode=maybe").unwrap_err().contains("maybe"));
    }
}
