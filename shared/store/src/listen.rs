//! Notifications between the processes that use one PostgreSQL database (`LISTEN` and `NOTIFY`).
//!
//! A process that does not listen at the moment of a notification never receives it. So a notification may only
//! save time: every process must also find by itself, later, what a notification would have said.

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};

use crate::{
    Db, StoreError, Tx,
    db::{ACQUIRE_TIMEOUT, Pools},
    tx::On,
};

/// Receives the notifications of one channel, over a connection of its own.
#[derive(Debug)]
pub struct Listener {
    pool: PgPool,
    channel: &'static str,
    open: Option<PgListener>,
}

impl Db {
    /// A listener; `None` for SQLite, where there is no other process to send anything.
    #[must_use]
    pub fn listener(&self, channel: &'static str) -> Option<Listener> {
        let Pools::Postgres(shared) = &self.0 else { return None };
        // Not a connection of the shared pool: the listener keeps it, and that pool may have only one.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(shared.options.clone());
        Some(Listener { pool, channel, open: None })
    }

    /// Sends a notification on a channel. Does nothing with SQLite.
    ///
    /// # Errors
    /// If the database refuses or is unavailable.
    pub async fn notify(
        &self,
        channel: &'static str,
        message: &'static str,
    ) -> Result<(), StoreError> {
        match &self.0 {
            Pools::Sqlite { .. } => Ok(()),
            Pools::Postgres(_) => {
                self.fetch(NOTIFY, vec![channel.into(), message.into()]).await.map(drop)
            }
        }
    }
}

const NOTIFY: &str = "select pg_notify($1, $2)";

impl Tx {
    /// As [`Db::notify`]; the notification is sent when this transaction commits.
    ///
    /// # Errors
    /// If the database refuses or is unavailable.
    pub async fn notify(
        &mut self,
        channel: &'static str,
        message: &'static str,
    ) -> Result<(), StoreError> {
        match &mut self.on {
            On::Sqlite(_) => Ok(()),
            On::Postgres(_) => {
                self.fetch(NOTIFY, vec![channel.into(), message.into()]).await.map(drop)
            }
        }
    }
}

impl Listener {
    /// Waits for the next notification and returns its message. Notifications that are sent while the connection
    /// is down are lost.
    ///
    /// # Errors
    /// If the database is unavailable. Call it again after a pause.
    pub async fn hear(&mut self) -> Result<String, StoreError> {
        loop {
            let listener = match &mut self.open {
                Some(listener) => listener,
                none => {
                    let listener = PgListener::connect_with(&self.pool).await;
                    let mut listener = listener.map_err(StoreError::sqlx)?;
                    listener.listen(self.channel).await.map_err(StoreError::sqlx)?;
                    none.insert(listener)
                }
            };
            match listener.try_recv().await {
                Ok(Some(notification)) => return Ok(notification.payload().to_owned()),
                // The connection broke. The next call of `try_recv` opens another.
                Ok(None) => {}
                Err(error) => {
                    self.open = None;
                    return Err(StoreError::sqlx(error));
                }
            }
        }
    }
}
