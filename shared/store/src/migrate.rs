use std::borrow::Cow;

use sqlx::migrate::{Migration, Migrator};

/// One schema in both dialects.
#[derive(Debug)]
pub struct Migrations {
    pub(crate) sqlite: Migrator,
    pub(crate) postgres: Migrator,
}

impl Migrations {
    /// From the two folders, as `sqlx::migrate!` embeds them.
    #[must_use]
    pub fn new(mut sqlite: Migrator, mut postgres: Migrator) -> Self {
        sqlite.set_ignore_missing(true);
        postgres.set_ignore_missing(true);
        Self { sqlite, postgres }
    }

    /// This schema and then `other`'s, whose versions must be higher.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let join = |first: Migrator, second: Migrator| {
            let all: Vec<Migration> = first.iter().chain(second.iter()).cloned().collect();
            Migrator { migrations: Cow::Owned(all), ..first }
        };
        Self {
            sqlite: join(self.sqlite, other.sqlite),
            postgres: join(self.postgres, other.postgres),
        }
    }
}
