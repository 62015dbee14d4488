//! The status of a service: how much waits, and for how long.

use std::time::Duration;

use bus::{Bus, BusError, PartitionState};
use jiff::Timestamp;
use serde::Serialize;
use store::{Db, StoreError, Value};
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Engine, Metrics, Participant,
    depth::{Depth, by_id, read_depth},
    outbox::{lease, rows},
    participant::{group, subscription},
};

/// The status of a service. Batches, inputs and duplicates are counted by the process that answers; everything else is
/// the same for all replicas.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// The service's name.
    pub service: &'static str,
    /// The process that answers. It gets a new id with each start.
    pub replica: Uuid,
    /// The replica whose relay sends the outbox; `null` while none holds the lease.
    pub relay: Option<Uuid>,
    /// Batches committed since this process started. If the figure of each replica stays the same, nothing happened.
    pub batches: u64,
    /// Inputs in those batches, duplicates included.
    pub inputs: u64,
    /// Inputs in those batches that had been applied before.
    pub duplicates: u64,
    /// What waits in the database.
    #[serde(flatten)]
    pub queues: Queues,
    /// Records on the subscribed topics that the group has not applied; `null` while the broker
    /// does not answer.
    pub lag: Option<i64>,
}

/// What waits in a service's database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Queues {
    /// Events that the broker has not acknowledged.
    pub outbox: Depth,
    /// Requests to the outside world without a definite answer.
    pub effects: Depth,
    /// Requests among these effects that are held for an operator: refused as malformed, or without an answer for too
    /// long.
    pub effects_held: i64,
    /// Deadlines that have not fired.
    pub alarms: Depth,
    /// Aggregates that are parked, and dead letters that name none: the dead-letter queues.
    pub parked: Depth,
    /// Dead letters: records in the dead-letter queues.
    pub dead_letters: i64,
    /// Outcomes and deadlines that cannot be applied; they are among the effects and alarms.
    pub postponed: i64,
}

/// How long the broker may take to report the lag.
const LAG_TIMEOUT: Duration = Duration::from_secs(2);

impl<P: Participant> Engine<P> {
    /// The status of the service.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn status(&self, bus: &dyn Bus) -> Result<Status, StoreError> {
        let partitions = timeout(LAG_TIMEOUT, self.partitions(bus)).await.ok().and_then(Result::ok);
        Ok(Status {
            service: P::NAME,
            replica: self.outbox.replica,
            relay: self.relay_holder().await?,
            batches: self.metrics.batches(),
            inputs: self.metrics.inputs(),
            duplicates: self.metrics.duplicates(),
            queues: self.queues().await?,
            lag: partitions.map(|states| states.iter().map(PartitionState::lag).sum()),
        })
    }

    /// What waits in the database.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn queues(&self) -> Result<Queues, StoreError> {
        let now = self.clock.now();
        let effects = effects_queue(&self.db, now).await?;
        let alarms = alarms_queue(&self.db, now).await?;
        Ok(Queues {
            outbox: self.outbox_depth(now).await?,
            effects: effects.depth,
            effects_held: effects.held,
            alarms: alarms.depth,
            parked: depth(&self.db, "dead_letter_queue", "parked_at", now).await?,
            dead_letters: depth(&self.db, "dead_letter", "first_at", now).await?.depth,
            postponed: effects.refused + alarms.refused,
        })
    }

    async fn relay_holder(&self) -> Result<Option<Uuid>, StoreError> {
        if self.outbox.always_sole {
            return Ok(Some(self.outbox.replica));
        }
        lease::holder(&self.db, lease::RELAY, self.settings.lease).await
    }

    /// What the engine counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The depth of the outbox, without events that were sent but are not deleted yet.
    async fn outbox_depth(&self, now: Timestamp) -> Result<Depth, StoreError> {
        let stored = rows::depth(&self.db, now).await?;
        let sent = i64::try_from(self.outbox.acknowledged_events()).unwrap_or(i64::MAX);
        let depth = stored.depth.saturating_sub(sent).max(0);
        Ok(Depth { depth, oldest_seconds: if depth == 0 { 0.0 } else { stored.oldest_seconds } })
    }

    /// How far the group has come in each partition of its topics. Waits for the broker.
    ///
    /// # Errors
    /// If the broker does not answer, or a topic does not exist yet.
    pub async fn partitions(&self, bus: &dyn Bus) -> Result<Vec<PartitionState>, BusError> {
        bus.partitions(&group::<P>(), &subscription::<P>()).await
    }

    /// The service that it runs.
    pub fn participant(&self) -> &P {
        &self.participant
    }

    /// The database, for reading.
    pub fn db(&self) -> &Db {
        &self.db
    }
}

async fn depth(db: &Db, table: &str, since: &str, now: Timestamp) -> Result<Depth, StoreError> {
    let sql = format!("select count(*), min({since}) from {}", by_id(table, since));
    read_depth(db.fetch(&sql, Vec::<Value>::new()).await?.first(), now)
}

/// A queue of effects or alarms.
struct Queue {
    depth: Depth,
    /// Rows that are held for an operator.
    held: i64,
    /// Rows whose outcome or deadline could not be applied.
    refused: i64,
}

/// The effects. The age is that of the oldest effect that is not held: for held effects, an operator has been called.
async fn effects_queue(db: &Db, now: Timestamp) -> Result<Queue, StoreError> {
    let rows = by_id("effect", "created_at, held_at, refused");
    let oldest = "min(case when held_at is null then created_at end)";
    queue(
        db,
        &format!("select count(*), {oldest}, count(held_at), count(refused) from {rows}"),
        now,
    )
    .await
}

async fn alarms_queue(db: &Db, now: Timestamp) -> Result<Queue, StoreError> {
    let rows = by_id("alarm", "rings_at, refused");
    queue(
        db,
        &format!("select count(*), min(rings_at), cast(0 as bigint), count(refused) from {rows}"),
        now,
    )
    .await
}

async fn queue(db: &Db, sql: &str, now: Timestamp) -> Result<Queue, StoreError> {
    let rows = db.fetch(sql, Vec::<Value>::new()).await?;
    let count = |place: usize| rows.first().map_or(Ok(0), |row| row.get(place));
    Ok(Queue { depth: read_depth(rows.first(), now)?, held: count(2)?, refused: count(3)? })
}
