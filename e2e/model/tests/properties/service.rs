//! A service with the real engine on a real database, which applies the inputs that it is given.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use audit::Row;
use bus::DEFAULT_MAX_RECORD_BYTES;
use clock::ManualClock;
use contracts::{EventType, OrderId};
use engine::{
    Effect, Engine, EngineOptions, Input, Origin, Relay, Sent, Settings, UnconfirmedAnswers, What,
    Work,
};
use event::{
    Contract as _, Decoded, EffectId, Envelope, EventType as _, Trace, Versions, decode, derived,
};
use jiff::Timestamp;
use model::Entry;
use saga::Described;
use service::Service;
use store::{Db, Json, Record};
use testkit::{Database, MemoryBus, record_at};
use uuid::Uuid;

/// The engine's own tables that a batch changes.
const TABLES: [&str; 5] = ["inbox", "outbox", "effect", "alarm", "idempotency_key"];

/// A description of an input, from which the input can be made any number of times.
#[derive(Clone, Debug)]
pub enum InputPlan {
    /// An event, as it was received.
    Event(Arc<Envelope<contracts::Event>>),
    /// The nth of the service's openings and wishes about this order.
    Command { cause: Uuid, order: OrderId, nth: usize },
    /// The nth answer to a request.
    Answer(EffectId, usize),
    /// An alarm.
    Ring(OrderId, String),
}

/// A request that waits for its answer, and the number of possible answers.
#[derive(Clone, Debug)]
pub struct PendingRequest {
    pub id: EffectId,
    pub answers: usize,
}

/// A service that is played, without its type.
#[async_trait(?Send)]
pub trait Played {
    fn hears(&self, kind: EventType) -> bool;
    /// Applies a batch.
    async fn apply(&mut self, batch: &[InputPlan]);
    /// The events that it has published since the last call, as they came over the wire.
    async fn published(&mut self) -> Vec<Envelope<contracts::Event>>;
    async fn requests(&mut self) -> Vec<PendingRequest>;
    async fn alarms(&self) -> Vec<(OrderId, String)>;
    /// The provider's ledger entry after this answer.
    fn entry(&self, request: EffectId, answer: usize) -> Option<Entry>;
    /// Its rows in the auditor's types, and its queues.
    async fn listed(&self) -> (Vec<Row>, audit::Status);
    /// The contents of all its tables.
    async fn stored(&self) -> Vec<String>;
}

pub struct Running<S: Service> {
    engine: Engine<S>,
    relay: Relay,
    bus: MemoryBus,
    read: usize,
    requests: BTreeMap<EffectId, S::Effect>,
}

impl<S: Described> Running<S> {
    pub async fn migrated(database: &Database) -> Db {
        database.migrated(engine::migrations().and(S::migrations())).await
    }

    /// A service on a database whose tables are emptied first.
    pub async fn fresh(service: S, db: Db) -> Self {
        let mut tx = db.begin().await.expect("a transaction");
        let own: Vec<_> = S::tables().iter().map(|table| table.name()).collect();
        for table in TABLES.into_iter().chain(own) {
            tx.execute(&format!("delete from {table}"), Vec::new())
                .await
                .expect("an emptied table");
        }
        tx.commit().await.expect("a commit");
        let options = EngineOptions {
            settings: Settings::default(),
            versions: Versions::default(),
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            replica: Uuid::from_u128(1),
        };
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let engine = Engine::new(service, db, clock, options);
        let bus = MemoryBus::default();
        let relay = engine.relay(Arc::new(bus.clone()));
        Self { engine, relay, bus, read: 0, requests: BTreeMap::new() }
    }

    fn work(&self, input: &InputPlan) -> Work<S> {
        let (cause, what, origin) = match input {
            InputPlan::Event(envelope) => {
                let topic = envelope.event.event_type().topic().to_owned();
                let origin = Origin::Event(record_at(topic, 0));
                (envelope.id.into(), What::Event(envelope.event.clone()), origin)
            }
            InputPlan::Command { cause, order, nth } => {
                let mut commands = S::openings(*order).into_iter().chain(S::wishes(*order));
                let command = commands.nth(*nth).expect("a command with this number");
                (*cause, What::Command(command), Origin::Command(None))
            }
            InputPlan::Answer(id, nth) => {
                let effect = &self.requests[id];
                let outcome = S::outcomes(effect).swap_remove(*nth);
                ((*id).into(), What::Outcome(effect.aggregate(), outcome), Origin::Outcome)
            }
            InputPlan::Ring(order, name) => {
                let Ok(alarm) = name.parse() else { panic!("{name} is not an alarm") };
                let id = derived((*order).into(), (*order).into(), name, 1);
                (id, What::Alarm(*order, alarm), Origin::Alarm)
            }
        };
        let at = Timestamp::UNIX_EPOCH;
        Work { input: Input { cause, at, trace: Trace::default(), what }, origin }
    }

    async fn column(&self, sql: &str) -> Vec<String> {
        let rows = self.engine.db().fetch(sql, Vec::new()).await.expect("rows");
        rows.iter().map(|row| row.get(0).expect("text")).collect()
    }
}

#[async_trait(?Send)]
impl<S: Described> Played for Running<S> {
    fn hears(&self, kind: EventType) -> bool {
        S::CONSUMES.contains(&kind)
    }

    async fn apply(&mut self, batch: &[InputPlan]) {
        self.requests().await;
        let works: Vec<Work<S>> = batch.iter().map(|input| self.work(input)).collect();
        let apply = self.engine.apply_batch(&works, &mut UnconfirmedAnswers::<S>::new()).await;
        apply.unwrap_or_else(|error| panic!("{}: {error}", S::NAME));
    }

    async fn published(&mut self) -> Vec<Envelope<contracts::Event>> {
        while self.relay.step().await.expect("sent events") != Sent::Nothing {}
        let records = self.bus.records().split_off(self.read);
        self.read += records.len();
        let decoded = records.iter().map(|record| {
            match decode(record.key.as_bytes(), &record.headers, &record.value) {
                Ok(Decoded::Event(envelope)) => *envelope,
                other => panic!("{} has published {other:?}", S::NAME),
            }
        });
        decoded.collect()
    }

    async fn requests(&mut self) -> Vec<PendingRequest> {
        let sql = "select id, payload from effect order by id";
        let rows = self.engine.db().fetch(sql, Vec::new()).await.expect("requests");
        let requests = rows.iter().map(|row| {
            let (id, Json(effect)): (EffectId, Json<S::Effect>) =
                (row.get(0).expect("an id"), row.get(1).expect("a request"));
            let answers = S::outcomes(&effect).len();
            self.requests.insert(id, effect);
            PendingRequest { id, answers }
        });
        requests.collect()
    }

    async fn alarms(&self) -> Vec<(OrderId, String)> {
        let sql = "select aggregate_id, name from alarm order by aggregate_id";
        let rows = self.engine.db().fetch(sql, Vec::new()).await.expect("alarms");
        rows.iter().map(|row| (row.get(0).expect("an id"), row.get(1).expect("a name"))).collect()
    }

    fn entry(&self, request: EffectId, answer: usize) -> Option<Entry> {
        let effect = &self.requests[&request];
        S::entry(effect, &S::outcomes(effect)[answer])
    }

    async fn listed(&self) -> (Vec<Row>, audit::Status) {
        let mut rows = Vec::new();
        for table in S::tables() {
            let page = table.page(self.engine.db(), None, 100).await.expect("rows");
            for (_, mut row) in page {
                row["table"] = table.name().into();
                rows.push(serde_json::from_value(row).expect("a row that the auditor can read"));
            }
        }
        let queues = self.engine.queues().await.expect("queues");
        let depth = |depth: engine::Depth| audit::Depth { depth: depth.depth };
        let status = audit::Status {
            outbox: depth(queues.outbox),
            effects: depth(queues.effects),
            alarms: depth(queues.alarms),
            lag: Some(0),
            ..audit::Status::default()
        };
        (rows, status)
    }

    async fn stored(&self) -> Vec<String> {
        let mut stored = Vec::new();
        for table in S::tables() {
            let page = table.page(self.engine.db(), None, 100).await.expect("rows");
            stored.extend(page.iter().map(|(_, row)| format!("{} {row}", table.name())));
        }
        // Also the columns that are not listed, such as addresses and timelines.
        let rows = self.engine.db().page::<S::Row>(None, 100).await.expect("rows");
        stored.extend(rows.iter().map(|row| format!("{:?} {row:?}", row.key())));
        for sql in [
            "select 'publishes ' || topic || ' ' || key from outbox_event order by id, place",
            "select 'requests ' || payload from effect order by id",
            "select 'sets ' || name || ' ' || rings_at from alarm order by id",
        ] {
            stored.extend(self.column(sql).await);
        }
        for sql in [
            "select event_id from outbox_event order by id, place",
            "select id from inbox order by id",
        ] {
            let ids = self.engine.db().fetch(sql, Vec::new()).await.expect("ids");
            stored.extend(ids.iter().map(|row| row.get::<Uuid>(0).expect("an id").to_string()));
        }
        stored
    }
}
