use std::borrow::Cow;

use sqlx::{
    SqlSafeStr,
    migrate::{MigrationType, Migrator},
};

use crate::StoreError;

/// A schema in the dialects of both databases. [`migrations!`](crate::migrations!) makes it from a folder.
#[derive(Debug, Clone)]
pub struct Migrations {
    pub(crate) sqlite: Vec<Migration>,
    pub(crate) postgres: Vec<Migration>,
}

/// One step of a schema. Once it has run anywhere, neither its version nor its SQL may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    version: i64,
    description: &'static str,
    sql: &'static str,
}

impl Migration {
    /// A migration that runs after all lower versions. It runs in a transaction of its own unless the first line
    /// of `sql` is `-- no-transaction`.
    #[must_use]
    pub const fn new(version: i64, description: &'static str, sql: &'static str) -> Self {
        Self { version, description, sql }
    }
}

impl Migrations {
    /// The same schema for both databases, each in ascending order of versions.
    #[must_use]
    pub fn new(sqlite: Vec<Migration>, postgres: Vec<Migration>) -> Self {
        Self { sqlite, postgres }
    }

    /// This schema followed by `other`, whose versions must be higher. If they are not,
    /// [`Db::migrate`](crate::Db::migrate) refuses the schema.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.sqlite.extend(other.sqlite);
        self.postgres.extend(other.postgres);
        self
    }
}

/// The migrator of one database.
pub(crate) fn migrator(migrations: &[Migration]) -> Result<Migrator, StoreError> {
    for pair in migrations.windows(2) {
        if let [before, after] = pair
            && before.version >= after.version
        {
            return Err(StoreError::MigrationOrder {
                before: before.version,
                after: after.version,
                description: after.description,
            });
        }
    }
    let migrations = migrations.iter().map(|Migration { version, description, sql }| {
        sqlx::migrate::Migration::new(
            *version,
            Cow::Borrowed(*description),
            MigrationType::Simple,
            sql.into_sql_str(),
            sql.starts_with("-- no-transaction"),
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // A newer version of the program may have run migrations that this one does not know.
    migrator.set_ignore_missing(true);
    Ok(migrator)
}

/// Embeds a folder of migrations of the calling crate and makes [`Migrations`] from them.
///
/// The folder is relative to the crate's `Cargo.toml`. It has one folder for each database, `sqlite` and
/// `postgres`, with files of the same names, `VERSION_DESCRIPTION.sql`, such as `1000_trips.sql`. A
/// service's versions begin at 1000. A wrong name, a version that occurs twice, or a file for one database
/// only is an error of the compiler.
///
/// ```
/// # use quintet_store::Migrations;
/// fn migrations() -> Migrations {
///     quintet_store::migrations!("tests/store/migrations/first")
/// }
/// # let _ = migrations();
/// ```
///
/// Cargo compiles a crate again when one of these files changes, but it does not see a new file. A build
/// script that prints `cargo:rerun-if-changed=migrations` tells it to look.
#[macro_export]
macro_rules! migrations {
    ($folder:literal) => {{
        use $crate::{Migration as QuintetMigration, Migrations as QuintetMigrations};
        $crate::private::embed_migrations!($folder)
    }};
}
