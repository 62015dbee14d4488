//! Checks that a service uses its database with one and the same bus.
//!
//! The inbox and the rows of a database refer to the records of one bus. With another bus the service would miss
//! records that it has never read, and wait for records that never come. So a bus gets an id at its first use, and a
//! database remembers the id of the bus that it was first used with.

use bus::{Bus, PartitionState};
use store::{Db, Row, StoreError, Value};
use uuid::Uuid;

use crate::Fatal;

/// Checks that this database and this bus belong together. `proposed` becomes the id of a bus that has none. The
/// database remembers a new bus only with [`Acquaintance::remember`].
pub(crate) async fn require(db: &Db, bus: &dyn Bus, proposed: Uuid) -> Result<Acquaintance, Fatal> {
    let Some(id) = bus.identity(proposed).await? else { return Ok(Acquaintance::Unnamed) };
    let known = known(db).await.map_err(|error| Fatal::database_unavailable(&error))?;
    let Some(known) = known else {
        return Ok(Acquaintance::First(Known { id, address: bus.address() }));
    };
    if known.id == id {
        return Ok(Acquaintance::Known);
    }
    Err(Fatal::Stranger { known: known.address, known_id: known.id, bus: bus.address(), id })
}

/// What a database knows of a bus.
pub(crate) enum Acquaintance {
    /// The database remembers this bus.
    Known,
    /// The database remembers no bus yet. This is its first one.
    First(Known),
    /// The bus keeps no id.
    Unnamed,
}

/// A bus, as a database remembers it.
pub(crate) struct Known {
    id: Uuid,
    address: String,
}

impl Acquaintance {
    /// If this is the first bus of a database that never read a record, the group must not have read any record either.
    /// Otherwise its offsets would skip all records that this database has not applied.
    pub(crate) async fn require_unread(
        &self,
        db: &Db,
        group: &str,
        states: &[PartitionState],
    ) -> Result<(), Fatal> {
        let Self::First(_) = self else { return Ok(()) };
        let read = |state: &&PartitionState| state.committed.is_some_and(|next| next > state.low);
        let Some(state) = states.iter().find(read) else { return Ok(()) };
        let places = db.fetch("select 1 from partition_registry limit 1", Vec::new()).await;
        if !places.map_err(|error| Fatal::database_unavailable(&error))?.is_empty() {
            // This database was in use before databases remembered their bus.
            return Ok(());
        }
        Err(Fatal::Unread {
            group: group.to_owned(),
            topic: state.topic.clone(),
            partition: state.partition,
            next: state.committed.unwrap_or(state.low),
        })
    }

    /// Stores the bus in the database, if it is the first one.
    pub(crate) async fn remember(self, db: &Db) -> Result<(), StoreError> {
        let Self::First(known) = self else { return Ok(()) };
        let mut tx = db.begin().await?;
        let sql = "insert into known_bus (id, address) values ($1, $2) on conflict do nothing";
        tx.execute(sql, vec![known.id.into(), Value::Text(known.address.into())]).await?;
        tx.commit().await
    }
}

async fn known(db: &Db) -> Result<Option<Known>, StoreError> {
    let rows = db.fetch("select id, address from known_bus", Vec::new()).await?;
    let read = |row: &Row| Ok(Known { id: row.get(0)?, address: row.get(1)? });
    rows.first().map(read).transpose()
}
