use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, PartitionState};
use clock::Random;
use jiff::Timestamp;
use serde::Serialize;
use store::{Db, Row, StoreError, Value};
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Alarms, EffectRunner, Engine, Metrics, Outside, Participant, Relay, Replays,
    effects::{self, RunnerParts},
    intake::{group, subscription},
    lease, outbox,
};

/// Where a service stands: what waits, and for how long. Turns, inputs and duplicates are this
/// process's, as it alone can count them exactly; the rest is all replicas'.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// The service's name.
    pub service: &'static str,
    /// Which of its processes answers: a new id with each start.
    pub replica: Uuid,
    /// The one whose relay sends the outbox; `null` while nobody holds that lease.
    pub relay: Option<Uuid>,
    /// Batches committed since this process started. The same figure twice, of each replica:
    /// nothing happened.
    pub turns: u64,
    /// Inputs in them.
    pub inputs: u64,
    /// Those among them that had been applied before.
    pub duplicates: u64,
    /// What waits in the database.
    #[serde(flatten)]
    pub queues: Queues,
    /// Records on the subscribed topics that the group has not applied; `null` while the broker
    /// does not answer.
    pub lag: Option<i64>,
}

/// What waits in a service's database.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Queues {
    /// Events that the broker has not acknowledged.
    pub outbox: Depth,
    /// Requests to the outside world without a definite answer.
    pub effects: Depth,
    /// Those among them that are held for an operator: refused as malformed, or without an answer for too long.
    pub effects_held: i64,
    /// Deadlines that have not fired.
    pub alarms: Depth,
    /// Aggregates that are parked, and records that name none.
    pub parked: Depth,
    /// Records in the dead letters.
    pub dead_letters: i64,
    /// Outcomes and deadlines that cannot be applied; they are among the effects and alarms.
    pub held: i64,
}

/// How many rows a queue table holds, and how old the oldest is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Depth {
    /// Rows.
    pub depth: i64,
    /// Age of the oldest, in seconds; 0 where there is none. For alarms: for how long it has been
    /// due.
    pub oldest_seconds: f64,
}

/// How long the broker may take to tell the lag.
const LAG_TIMEOUT: Duration = Duration::from_secs(2);

impl<P: Participant> Engine<P> {
    /// Where the service stands.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn status(&self, bus: &dyn Bus) -> Result<Status, StoreError> {
        let partitions = timeout(LAG_TIMEOUT, self.partitions(bus)).await.ok().and_then(Result::ok);
        Ok(Status {
            service: P::NAME,
            replica: self.replica,
            relay: self.relay_holder().await?,
            turns: self.metrics.turns(),
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
            parked: depth(&self.db, "parked", "since", now).await?,
            dead_letters: depth(&self.db, "dead_letter", "first_at", now).await?.depth,
            held: effects.refused + alarms.refused,
        })
    }

    async fn relay_holder(&self) -> Result<Option<Uuid>, StoreError> {
        if self.exclusive.is_always() {
            return Ok(Some(self.replica));
        }
        lease::holder(&self.db, lease::RELAY, self.settings.lease).await
    }

    /// What the engine counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Rows that were sent and are not deleted yet do not count.
    async fn outbox_depth(&self, now: Timestamp) -> Result<Depth, StoreError> {
        let stored = outbox::depth(&self.db, now).await?;
        let sent = i64::try_from(self.handoff.acknowledged_events()).unwrap_or(i64::MAX);
        let depth = stored.depth.saturating_sub(sent).max(0);
        Ok(Depth { depth, oldest_seconds: if depth == 0 { 0.0 } else { stored.oldest_seconds } })
    }

    /// How far the group has come in each partition of its topics. Waits for the broker.
    ///
    /// # Errors
    /// If the broker is away or a topic is not there yet.
    pub async fn partitions(&self, bus: &dyn Bus) -> Result<Vec<PartitionState>, BusError> {
        bus.partitions(&group::<P>(), &subscription::<P>()).await
    }

    /// The service that it runs.
    pub fn participant(&self) -> &P {
        &self.participant
    }

    /// The database, to read from.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The relay of this engine's outbox.
    pub fn relay(&self, bus: Arc<dyn Bus>) -> Relay {
        let outbox = (self.db.clone(), Arc::clone(&self.handoff));
        let exclusive = Arc::clone(&self.exclusive);
        Relay::new(outbox, exclusive, bus, Arc::clone(&self.clock), self.settings.clone())
    }

    /// The runner of this engine's effects.
    pub fn effect_runner(
        &self,
        outside: Arc<dyn Outside<P>>,
        random: Arc<dyn Random>,
    ) -> EffectRunner<P> {
        EffectRunner::new(RunnerParts {
            db: self.db.clone(),
            queue: Arc::clone(&self.effects),
            outside,
            clock: Arc::clone(&self.clock),
            random,
            settings: self.settings.clone(),
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// The alarms of this engine.
    pub fn alarms(&self) -> Alarms {
        Alarms::new(self.db.clone(), Arc::clone(&self.clock), self.settings.clone())
    }

    /// The replays of this engine's dead letters.
    pub fn replays(&self) -> Replays {
        Replays::new(self.db.clone(), Arc::clone(&self.clock), self.settings.clone())
    }

    /// Before anything runs: takes the outbox, counts what earlier runs left in it, and takes over the
    /// effects that they had claimed, if there is nobody else to do them.
    pub async fn take_stock(&self) {
        let now = self.clock.now();
        if let Err(error) = self.exclusive.take(&self.db).await {
            tracing::warn!(%error, "cannot take the outbox; it is shared for now");
        }
        self.handoff.set_held(self.exclusive.is_alone());
        match outbox::depth(&self.db, now).await {
            Ok(stored) => self.handoff.set_depth(stored.depth),
            Err(error) => tracing::warn!(%error, "cannot count the outbox"),
        }
        if self.exclusive.is_always()
            && let Err(error) = effects::release_orphans(&self.db, now).await
        {
            tracing::warn!(%error, "cannot take over effects; they are when their claims end");
        }
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

/// Effects. The age is that of the oldest one that is not held: for those that are, an operator has been called.
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

/// The rows of a queue, read by way of their key: PostgreSQL then meets each row that is gone once and
/// remembers that in the index, where reading the table meets all of them until it is vacuumed.
pub(crate) fn by_id(table: &str, columns: &str) -> String {
    format!("(select {columns} from {table} order by id) as queued")
}

pub(crate) fn read_depth(row: Option<&Row>, now: Timestamp) -> Result<Depth, StoreError> {
    let Some(row) = row else { return Ok(Depth { depth: 0, oldest_seconds: 0.0 }) };
    let oldest: Option<Timestamp> = row.get(1)?;
    let age = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
    Ok(Depth { depth: row.get(0)?, oldest_seconds: age })
}
