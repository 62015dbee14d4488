//! The services of a simulation, and their databases.

use std::{any::TypeId, sync::Arc};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use bus::Topic;
use engine::{Never, NoEffects, Outside};
use service::Service;
use store::Db;

use crate::{Described, Saga};

use super::{actor::Actor, played::ActorOf, process::Host, providers::Providers, schedule::Cast};

/// The services of a simulation, and the access of each to the providers `P`.
///
/// At the end of a run they take steps in the order in which they were added.
pub struct Participants<P> {
    roles: Vec<Box<dyn Role<P>>>,
}

impl Participants<()> {
    /// Begins the list for a saga without providers.
    #[must_use]
    pub fn without_providers() -> Self {
        Self::new()
    }
}

impl<P: Providers> Participants<P> {
    /// Begins the list. For a saga without providers, use [`Participants::without_providers`].
    #[must_use]
    pub fn new() -> Self {
        Self { roles: Vec::new() }
    }

    /// Adds a service that sends no requests to providers.
    #[must_use]
    pub fn with<S: Service<Effect = Never> + Clone>(self, service: S) -> Self {
        self.asking(service, |_| Arc::new(NoEffects))
    }

    /// Adds a service by its description.
    #[must_use]
    pub fn described<S: Described<G>, G: Saga<Providers = P>>(self) -> Self {
        self.asking(S::simulated(), S::outside)
    }

    /// Adds a service, and its access to the providers of a run.
    #[must_use]
    pub fn asking<S: Service + Clone>(
        mut self,
        service: S,
        outside: impl Fn(&Arc<P>) -> Arc<dyn Outside<S>> + Send + Sync + 'static,
    ) -> Self {
        self.roles.push(Box::new(RoleOf { service, outside }));
        self
    }

    /// The names of the services, for drawing schedules.
    pub(crate) fn cast(&self) -> Cast {
        let names = |which: fn(&dyn Role<P>) -> bool| {
            let roles = self.roles.iter().filter(|role| which(&***role));
            roles.map(|role| role.name()).collect()
        };
        Cast {
            all: names(|_| true),
            asking: names(|role| role.asks()),
            alarmed: names(|role| role.has_alarms()),
        }
    }

    /// The topics of the services' contract.
    pub(crate) fn topics(&self, partitions: i32) -> Vec<Topic> {
        self.roles.first().map(|role| role.topics(partitions)).unwrap_or_default()
    }

    /// Makes a database for each service.
    pub(crate) async fn databases(&self) -> Result<Databases> {
        let mut databases = Vec::new();
        for (nth, role) in self.roles.iter().enumerate() {
            let name = role.name();
            let twice = self.roles[..nth].iter().any(|other| other.name() == name);
            ensure!(
                !twice,
                "two participants are named {name}: give each service a NAME of its own"
            );
            databases.push(role.database().await?);
        }
        Ok(Databases(databases))
    }

    /// Makes the actors of a run on these databases, which must be empty.
    pub(crate) fn actors(
        &self,
        databases: &Databases,
        providers: &Arc<P>,
        host: impl Fn() -> Host,
    ) -> Vec<Box<dyn Actor>> {
        let roles = self.roles.iter().zip(&databases.0);
        roles.map(|(role, database)| role.actor(database.db.clone(), providers, host())).collect()
    }
}

impl<P: Providers> Default for Participants<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// A service of any type that can be played.
#[async_trait(?Send)]
trait Role<P>: Send + Sync {
    fn name(&self) -> &'static str;
    /// Whether it sends requests to providers.
    fn asks(&self) -> bool;
    fn has_alarms(&self) -> bool;
    fn topics(&self, partitions: i32) -> Vec<Topic>;
    async fn database(&self) -> Result<Database>;
    fn actor(&self, db: Db, providers: &Arc<P>, host: Host) -> Box<dyn Actor>;
}

struct RoleOf<S, F> {
    service: S,
    outside: F,
}

#[async_trait(?Send)]
impl<P, S, F> Role<P> for RoleOf<S, F>
where
    P: Providers,
    S: Service + Clone,
    F: Fn(&Arc<P>) -> Arc<dyn Outside<S>> + Send + Sync,
{
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn asks(&self) -> bool {
        TypeId::of::<S::Effect>() != TypeId::of::<Never>()
    }

    fn has_alarms(&self) -> bool {
        TypeId::of::<S::Alarm>() != TypeId::of::<Never>()
    }

    fn topics(&self, partitions: i32) -> Vec<Topic> {
        Topic::all_of::<S::Contract>(partitions)
    }

    async fn database(&self) -> Result<Database> {
        let db = Db::connect("sqlite::memory:", 1).await?;
        db.migrate(engine::migrations().and(S::migrations())).await?;
        let sql = "select name from sqlite_schema where type = 'table' \
                   and name not like 'sqlite_%' and name <> '_sqlx_migrations'";
        let mut clear = Vec::new();
        for row in db.fetch(sql, Vec::new()).await? {
            clear.push(format!("delete from {}", row.get::<String>(0)?));
        }
        Ok(Database { db, clear: clear.join("; ") })
    }

    fn actor(&self, db: Db, providers: &Arc<P>, host: Host) -> Box<dyn Actor> {
        Box::new(ActorOf::new(self.service.clone(), db, (self.outside)(providers), host))
    }
}

/// The databases of the services. They are in memory, migrated, and used for one run after another.
pub struct Databases(Vec<Database>);

struct Database {
    db: Db,
    /// The statements that empty its tables.
    clear: String,
}

impl Databases {
    /// Deletes all rows.
    pub(crate) async fn clear(&self) -> Result<()> {
        for Database { db, clear } in &self.0 {
            let mut tx = db.begin().await?;
            tx.execute(clear, Vec::new()).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
