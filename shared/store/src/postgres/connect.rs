use std::{str::FromStr, time::Duration};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolBuilder, PoolError, QueueMode, RecyclingMethod,
    Runtime,
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_postgres::{Config, NoTls};

use super::{Parameters, Transaction};
use crate::{Row, StoreError, db::ACQUIRE_TIMEOUT, error::told};

/// A PostgreSQL server, and the connections to it.
#[derive(Debug)]
pub struct Server {
    pool: Pool,
    /// For what sqlx does: migrating, and listening.
    pub(crate) options: PgConnectOptions,
}

/// What each connection is set to.
const SETTINGS: [(&str, &str); 7] = [
    // A batch touches rows by their keys, whatever statistics say that may be a minute old: planned
    // once, and never to read a whole table, also where the plan was made while it was empty.
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // A forbidden scan that nothing can replace counts as endless, which would be worth compiling.
    ("jit", "off"),
    // A replica that was stopped must not hold its locks for ever.
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "5s"),
];

/// How long a connection that nobody uses is probed after, so that a dead one is found.
const KEEPALIVE: Duration = Duration::from_secs(30);

impl Server {
    /// At this URL, which need not be reachable yet.
    pub(crate) fn at(url: &str, connections: u32) -> Result<Self, String> {
        let options = PgConnectOptions::from_str(url).map_err(|error| error.to_string())?;
        let (url, tls) = Tls::split(url)?;
        let options = options.ssl_mode(match tls {
            Tls::Off => PgSslMode::Disable,
            Tls::Checked { .. } => PgSslMode::VerifyFull,
        });
        let mut config = Config::from_str(&url).map_err(|error| told(&error))?;
        let settings = SETTINGS.map(|(name, value)| format!("-c {name}={value}"));
        let given = config.get_options().unwrap_or_default();
        let settings = format!("{} {given}", settings.join(" "));
        config.options(settings).keepalives_idle(KEEPALIVE).connect_timeout(ACQUIRE_TIMEOUT);
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        let pool = tls
            .manager(config)?
            .max_size(connections)
            // Batch after batch on the same one, which has plans, catalogue and pages at hand.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .create_timeout(Some(ACQUIRE_TIMEOUT))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { pool, options })
    }

    async fn connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error.into(),
            // Closed, or nothing free in time.
            _ => StoreError::TimedOut,
        })
    }

    /// Begins a transaction by these statements, which may do more.
    pub(crate) async fn begin(&self, statements: &str) -> Result<Transaction, StoreError> {
        Transaction::begin(self.connection().await?, statements)
    }

    /// Outside any transaction.
    pub(crate) async fn fetch(
        &self,
        sql: &str,
        values: Parameters,
    ) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection().await?;
        let statement = connection.prepare_cached(sql).await?;
        let rows = connection.query(&statement, &values.borrowed()).await?;
        Ok(rows.into_iter().map(Row::Postgres).collect())
    }

    /// In a transaction of its own.
    pub(crate) async fn execute(&self, sql: &str, values: Parameters) -> Result<u64, StoreError> {
        let connection = self.connection().await?;
        let statement = connection.prepare_cached(sql).await?;
        Ok(connection.execute(&statement, &values.borrowed()).await?)
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// What the URL says of TLS.
#[derive(Debug, PartialEq, Eq)]
enum Tls {
    Off,
    /// Checked against the system's certificates, or those in a file.
    Checked {
        roots: Option<String>,
    },
}

impl Tls {
    /// Takes `sslmode` and `sslrootcert` from the URL's query. Whoever asks for TLS gets it checked:
    /// `require`, `verify-ca` and `verify-full` are the same.
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

    fn manager(self, config: Config) -> Result<PoolBuilder, String> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match self {
            Self::Off => Manager::from_config(config, NoTls, recycling),
            #[cfg(feature = "tls")]
            Self::Checked { roots } => {
                Manager::from_config(config, super::tls::connector(roots.as_deref())?, recycling)
            }
            #[cfg(not(feature = "tls"))]
            Self::Checked { .. } => return Err("this build speaks no TLS (feature tls)".to_owned()),
        };
        Ok(Pool::builder(manager))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_what_the_url_asks_for_and_then_checked() {
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
