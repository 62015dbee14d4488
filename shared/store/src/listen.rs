//! What processes on one PostgreSQL database tell each other. Whoever does not listen at that moment
//! never hears it: it saves time and nothing may rest on it.

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};

use crate::{
    Db, StoreError, Tx,
    db::{ACQUIRE_TIMEOUT, Pools},
    tx::On,
};

/// Hears what is said on one channel, over a connection of its own.
#[derive(Debug)]
pub struct Listener {
    pool: PgPool,
    channel: &'static str,
    open: Option<PgListener>,
}

impl Db {
    /// A listener; `None` with SQLite, where there is nobody to hear.
    #[must_use]
    pub fn listener(&self, channel: &'static str) -> Option<Listener> {
        let Pools::Postgres(shared) = &self.0 else { return None };
        // Not one of the pool's: it is held for good, and the pool may be as small as one.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(shared.options.clone());
        Some(Listener { pool, channel, open: None })
    }

    /// Says something on a channel; nothing with SQLite.
    ///
    /// # Errors
    /// If the database refuses or is away.
    pub async fn notify(
        &self,
        channel: &'static str,
        what: &'static str,
    ) -> Result<(), StoreError> {
        match &self.0 {
            Pools::Sqlite { .. } => Ok(()),
            Pools::Postgres(_) => {
                self.fetch(NOTIFY, vec![channel.into(), what.into()]).await.map(drop)
            }
        }
    }
}

const NOTIFY: &str = "select pg_notify($1, $2)";

impl Tx {
    /// As [`Db::notify`], once this is committed.
    ///
    /// # Errors
    /// If the database refuses or is away.
    pub async fn notify(
        &mut self,
        channel: &'static str,
        what: &'static str,
    ) -> Result<(), StoreError> {
        match &mut self.on {
            On::Sqlite(_) => Ok(()),
            On::Postgres(_) => {
                self.fetch(NOTIFY, vec![channel.into(), what.into()]).await.map(drop)
            }
        }
    }
}

impl Listener {
    /// Waits for what is said next. What is said while the connection is down is not heard.
    ///
    /// # Errors
    /// If the database is away; to be called again after a pause.
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
                Ok(Some(said)) => return Ok(said.payload().to_owned()),
                // The connection broke, and is made anew.
                Ok(None) => {}
                Err(error) => {
                    self.open = None;
                    return Err(StoreError::sqlx(error));
                }
            }
        }
    }
}
