//! Access to single connections, for tests and simulations that stop or exhaust a database.

use std::{any::Any, fmt};

use sqlx::SqlitePool;

use crate::{Db, StoreError, db::Pools};

/// Connections that are reserved until this is dropped. Meanwhile other queries wait for a connection.
pub struct Held(Vec<Box<dyn Any + Send>>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.0.len()).finish()
    }
}

/// The point at which SQLite calls a hook, on its own thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqliteHook {
    /// Before each operation of SQLite's virtual machine. If the hook returns `false`, the statement is
    /// interrupted.
    Operation,
    /// Before each commit. If the hook returns `false`, the commit becomes a rollback.
    Commit,
}

/// The writing connection of a SQLite database.
#[derive(Debug)]
pub struct SqliteWriter<'db>(&'db SqlitePool);

impl Db {
    /// Reserves every connection that [`Db::fetch`] could use, and waits for those in use.
    ///
    /// # Errors
    /// If a connection is not available in time.
    pub async fn hold_readers(&self) -> Result<Held, StoreError> {
        let mut held: Vec<Box<dyn Any + Send>> = Vec::new();
        match &self.0 {
            Pools::Sqlite { readers, .. } => {
                for _ in 0..readers.options().get_max_connections() {
                    let reader = readers.acquire().await.map_err(StoreError::sqlx)?;
                    held.push(Box::new(reader));
                }
            }
            Pools::Postgres(server) => {
                for connection in server.take_all().await? {
                    held.push(Box::new(connection));
                }
            }
        }
        Ok(Held(held))
    }

    /// The writing connection of a SQLite database; `None` for PostgreSQL.
    #[must_use]
    pub fn sqlite_writer(&self) -> Option<SqliteWriter<'_>> {
        match &self.0 {
            Pools::Sqlite { writer, .. } => Some(SqliteWriter(writer)),
            Pools::Postgres(_) => None,
        }
    }
}

impl SqliteWriter<'_> {
    /// Has SQLite call `step` at this point from now on, until [`SqliteWriter::clear_hooks`].
    ///
    /// # Errors
    /// If the connection is not available in time.
    pub async fn set_hook(
        &self,
        hook: SqliteHook,
        step: impl FnMut() -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        let mut connection = self.0.acquire().await.map_err(StoreError::sqlx)?;
        let mut handle = connection.lock_handle().await.map_err(StoreError::sqlx)?;
        match hook {
            SqliteHook::Operation => handle.set_progress_handler(1, step),
            SqliteHook::Commit => handle.set_commit_hook(step),
        }
        Ok(())
    }

    /// Removes the hooks.
    ///
    /// # Errors
    /// If the connection is not available in time.
    pub async fn clear_hooks(&self) -> Result<(), StoreError> {
        let mut connection = self.0.acquire().await.map_err(StoreError::sqlx)?;
        let mut handle = connection.lock_handle().await.map_err(StoreError::sqlx)?;
        handle.remove_progress_handler();
        handle.remove_commit_hook();
        Ok(())
    }
}
