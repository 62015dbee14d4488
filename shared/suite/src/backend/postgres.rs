//! One database per service on a PostgreSQL server.

use super::{LET_GO_WITHIN, POLL, UP_WITHIN};
use crate::component::Component;
use crate::manifest::Manifest;
use crate::ui::Ui;
use anyhow::{Context, Result, bail};
use reqwest::Url;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// SQLSTATE of a server that is starting up or shutting down.
const CANNOT_CONNECT_NOW: &str = "57P03";
/// SQLSTATE of a database that has connections.
const OBJECT_IN_USE: &str = "55006";

/// A server, with the databases of a suite.
#[derive(Debug)]
pub struct Server {
    url: Url,
    manifest: &'static Manifest,
    namespace: String,
    up_within: Duration,
    let_go_within: Duration,
}

impl Server {
    /// The server of a URL such as `postgres://user:password@host:5432`.
    ///
    /// # Errors
    /// If it is no such URL.
    pub fn at(url: &str, manifest: &'static Manifest, namespace: &str) -> Result<Self> {
        let parsed = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "postgres" | "postgresql"))
            .filter(|_| PgConnectOptions::from_str(url).is_ok());
        let Some(url) = parsed else {
            // The message does not repeat the text, which may contain a password.
            bail!("--postgres takes a URL such as postgres://user:password@host:5432");
        };
        let (up_within, let_go_within) = (UP_WITHIN, LET_GO_WITHIN);
        let namespace = namespace.to_owned();
        Ok(Self { url, manifest, namespace, up_within, let_go_within })
    }

    /// The URL of each service's database.
    #[must_use]
    pub fn databases(&self) -> BTreeMap<Component, String> {
        let url = |service| {
            let mut url = self.url.clone();
            url.set_path(&self.database(service));
            url.to_string()
        };
        self.manifest.services().map(|service| (service, url(service))).collect()
    }

    /// Waits for the server. If `fresh`, it drops the databases. It then creates those that are missing.
    ///
    /// # Errors
    /// If the server does not come up, or refuses.
    pub async fn prepare(&self, fresh: bool, ui: &Ui) -> Result<()> {
        let mut connection = self.connect(ui).await?;
        for service in self.manifest.services() {
            let name = self.database(service);
            if fresh {
                self.drop_database(&mut connection, &name).await?;
            }
            create_database(&mut connection, &name)
                .await
                .with_context(|| format!("cannot create the database {name}"))?;
        }
        connection.close().await.context("the connection to PostgreSQL broke")
    }

    /// Drops the databases.
    ///
    /// # Errors
    /// If the server does not answer, or a database is in use.
    pub async fn clear(&self, ui: &Ui) -> Result<()> {
        let mut connection = self.connect(ui).await?;
        for service in self.manifest.services() {
            self.drop_database(&mut connection, &self.database(service)).await?;
        }
        connection.close().await.context("the connection to PostgreSQL broke")
    }

    fn database(&self, service: Component) -> String {
        format!("{}_{}{service}", self.manifest.name, self.namespace)
    }

    async fn connect(&self, ui: &Ui) -> Result<PgConnection> {
        let mut options = PgConnectOptions::from_url(&self.url).context("--postgres")?;
        if matches!(self.url.path(), "" | "/") {
            options = options.database("postgres");
        }
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let give_up = Instant::now() + self.up_within;
        let mut waiting = None;
        loop {
            match options.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) if is_not_up(&error) && Instant::now() < give_up => {
                    waiting.get_or_insert_with(|| {
                        ui.spinner(&format!("waiting for PostgreSQL at {server}"))
                    });
                    sleep(POLL).await;
                }
                Err(error) => {
                    drop(waiting);
                    return Err(plain(error))
                        .with_context(|| format!("cannot connect to PostgreSQL at {server}"));
                }
            }
        }
    }

    /// Drops a database. It waits until the connections of a killed suite are closed, and fails if the database stays in
    /// use: it must not take a running suite's database away.
    async fn drop_database(&self, connection: &mut PgConnection, name: &str) -> Result<()> {
        let give_up = Instant::now() + self.let_go_within;
        loop {
            let statement = format!("drop database if exists \"{name}\"");
            match connection.execute(AssertSqlSafe(statement)).await {
                Ok(_) => return Ok(()),
                Err(error) if sqlstate(&error).as_deref() == Some(OBJECT_IN_USE) => {
                    if Instant::now() >= give_up {
                        bail!(
                            "--fresh: the database {name} is in use: stop the other suite on this server, or keep apart from it with --namespace"
                        );
                    }
                    sleep(POLL).await;
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("--fresh: cannot drop {name}"));
                }
            }
        }
    }
}

/// The error of the system alone, without the words that sqlx puts around it.
fn plain(error: sqlx::Error) -> anyhow::Error {
    match error {
        sqlx::Error::Io(error) => error.into(),
        error => error.into(),
    }
}

fn is_not_up(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        error => sqlstate(error).as_deref() == Some(CANNOT_CONNECT_NOW),
    }
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

async fn create_database(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let exists: Option<i32> = sqlx::query_scalar("select 1 from pg_database where datname = $1")
        .bind(name)
        .fetch_optional(&mut *connection)
        .await?;
    if exists.is_none() {
        // The name needs no escaping, since names and namespaces are checked when they are read.
        connection.execute(AssertSqlSafe(format!("create database \"{name}\""))).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::trip;

    #[test]
    fn each_service_has_a_database_of_its_own_on_the_same_server() {
        let server =
            Server::at("postgres://me:secret@db:5433/any?sslmode=disable", trip(), "t1_").unwrap();
        let databases = server.databases();
        assert_eq!(databases.len(), 2);
        assert_eq!(
            databases[&Component::named("booking")],
            "postgres://me:secret@db:5433/trip_t1_booking?sslmode=disable"
        );
    }

    #[test]
    fn a_text_that_is_no_postgres_url_is_refused_with_an_example() {
        for url in ["localhost:5432", "mysql://localhost", "postgres://h?sslmode=maybe"] {
            let text = Server::at(url, trip(), "").unwrap_err().to_string();
            assert!(text.contains("--postgres") && text.contains("postgres://user"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_come_up_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut server = Server::at(&format!("postgres://me@{address}"), trip(), "").unwrap();
        server.up_within = Duration::ZERO;
        let error = server.prepare(false, &Ui::default()).await.unwrap_err();
        let text = crate::explain(&error);
        let expected = format!("cannot connect to PostgreSQL at {address}: Connection refused");
        assert!(text.starts_with(&expected) && text.len() <= 91, "{text}");
    }

    async fn tables(url: &str) -> i64 {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let count = "select count(*) from pg_tables where tablename = 'marker'";
        sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap()
    }

    async fn clean_up(server: &Server) {
        let mut connection = server.connect(&Ui::default()).await.unwrap();
        for service in server.manifest.services() {
            server.drop_database(&mut connection, &server.database(service)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn databases_are_created_once_and_replaced_only_for_fresh() {
        let Some(url) = testkit::postgres() else {
            return;
        };
        let server = Server::at(&url, trip(), &super::super::any_namespace()).unwrap();
        let ui = Ui::default();
        server.prepare(false, &ui).await.unwrap();
        let booking = &server.databases()[&Component::named("booking")];
        let mut connection = PgConnection::connect(booking).await.unwrap();
        connection.execute("create table marker (id int)").await.unwrap();
        connection.close().await.unwrap();

        server.prepare(false, &ui).await.unwrap();
        assert_eq!(tables(booking).await, 1);
        server.prepare(true, &ui).await.unwrap();
        assert_eq!(tables(booking).await, 0);
        clean_up(&server).await;
    }

    #[tokio::test]
    async fn a_database_in_use_is_not_dropped() {
        let Some(url) = testkit::postgres() else {
            return;
        };
        let mut server = Server::at(&url, trip(), &super::super::any_namespace()).unwrap();
        let ui = Ui::default();
        server.prepare(false, &ui).await.unwrap();
        let flights = &server.databases()[&Component::named("flights")];
        let mut other = PgConnection::connect(flights).await.unwrap();

        server.let_go_within = Duration::ZERO;
        let text = server.prepare(true, &ui).await.unwrap_err().to_string();
        assert!(text.contains("flights is in use") && text.contains("--namespace"), "{text}");
        other.execute("select 1").await.unwrap();

        other.close().await.unwrap();
        server.let_go_within = LET_GO_WITHIN;
        clean_up(&server).await;
    }
}
