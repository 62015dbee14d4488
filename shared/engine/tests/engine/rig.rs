//! The toy service on each database, with a broker and a provider whose behaviour the test plans.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bus::DEFAULT_MAX_RECORD_BYTES;
use clock::{ManualClock, SeededRandom};
use event::{EffectId, EventId, Trace, Versions};
use quintet_engine::{
    Answer, Applied, Attempt, BatchError, EffectRunner, Engine, EngineOptions, Outside, Relay,
    Settings, UnconfirmedAnswers,
};
use store::{Db, Value};
use testkit::toy::TallyId;
use testkit::{Database, MemoryBus};
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::{
    toy::{Ask, Tally, Toy, migrations},
    work::Works,
};

pub struct Rig {
    pub engine: Engine<Toy>,
    pub db: Db,
    pub clock: Arc<ManualClock>,
    pub bus: MemoryBus,
    pub provider: Arc<Provider>,
    /// Deleted with the rig.
    _database: Database,
    pub settings: Settings,
    /// How many engines were made on this database.
    others: AtomicUsize,
}

/// The first engine's replica id; the ids of the others follow.
const FIRST: u128 = 1;

/// One rig for each database.
pub async fn rigs() -> Vec<Rig> {
    rigs_with(Settings::default()).await
}

pub async fn rigs_with(settings: Settings) -> Vec<Rig> {
    let mut rigs = Vec::new();
    for database in testkit::databases().await {
        rigs.push(Rig::new(database, settings.clone()).await);
    }
    rigs
}

pub fn options(settings: &Settings, replica: u128) -> EngineOptions<testkit::toy::ToyEvent> {
    EngineOptions {
        settings: settings.clone(),
        versions: Versions::default(),
        max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
        replica: Uuid::from_u128(replica),
    }
}

impl Rig {
    pub async fn new(database: Database, settings: Settings) -> Self {
        let db = database.migrated(migrations()).await;
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let engine =
            Engine::new(Toy::default(), db.clone(), clock.clone(), options(&settings, FIRST));
        let (bus, provider) = (MemoryBus::default(), Arc::default());
        let others = AtomicUsize::new(1);
        Self { engine, db, clock, bus, provider, _database: database, settings, others }
    }

    /// One more engine on the same database: another replica, or the same after a restart.
    pub fn another(&self) -> Engine<Toy> {
        self.another_of(Toy::default())
    }

    pub fn another_of(&self, toy: Toy) -> Engine<Toy> {
        let replica = FIRST + self.others.fetch_add(1, Ordering::SeqCst) as u128;
        let options = options(&self.settings, replica);
        Engine::new(toy, self.db.clone(), self.clock.clone(), options)
    }

    pub async fn apply(&self, batch: &[Works]) -> Applied<Toy> {
        apply(&self.engine, batch).await
    }

    pub async fn refused(&self, batch: &[Works]) -> BatchError {
        self.engine.apply_batch(batch, &mut UnconfirmedAnswers::<Toy>::new()).await.unwrap_err()
    }

    /// Applies a batch, and returns only the answers.
    pub async fn answers(&self, batch: &[Works]) -> Vec<Answer<Toy>> {
        answers(self.apply(batch).await)
    }

    pub fn relay(&self) -> Relay {
        self.relay_of(&self.engine)
    }

    pub fn relay_of(&self, engine: &Engine<Toy>) -> Relay {
        engine.relay(Arc::new(self.bus.clone()))
    }

    /// Lets the lease age. Its end is a time of the database's clock, so it is moved back; what a process believes of
    /// the lease ages with the rig's clock.
    pub async fn age_lease(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.execute("update lease set expires_at = expires_at - $1", vec![micros.into()]).await;
        self.clock.advance(by);
    }

    pub fn effects(&self) -> EffectRunner<Toy> {
        self.effects_of(&self.engine)
    }

    pub fn effects_of(&self, engine: &Engine<Toy>) -> EffectRunner<Toy> {
        engine.effect_runner(self.provider.clone(), Arc::new(SeededRandom::new(7)))
    }

    pub async fn tally(&self, tally_id: TallyId) -> Option<Tally> {
        self.db.find(tally_id).await.unwrap()
    }

    /// The tally's log; empty where there is none.
    pub async fn log(&self, tally_id: TallyId) -> String {
        self.tally(tally_id).await.map(|tally| tally.log).unwrap_or_default()
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.db.fetch(sql, vec![]).await.unwrap()[0].get(0).unwrap()
    }

    pub async fn count(&self, table: &str) -> i64 {
        self.number(&format!("select count(*) from {table}")).await
    }

    pub async fn execute(&self, sql: &str, values: Vec<Value>) -> u64 {
        let mut tx = self.db.begin().await.unwrap();
        let touched = tx.execute(sql, values).await.unwrap();
        tx.commit().await.unwrap();
        touched
    }

    /// The events in the outbox, oldest first.
    pub async fn outbox(&self) -> Vec<EventId> {
        let sql = "select event_id from outbox_event order by id, place";
        let rows = self.db.fetch(sql, vec![]).await.unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }

    /// The events at the broker, in order.
    pub fn sent(&self) -> Vec<EventId> {
        sent(&self.bus)
    }
}

pub async fn apply(engine: &Engine<Toy>, batch: &[Works]) -> Applied<Toy> {
    engine.apply_batch(batch, &mut UnconfirmedAnswers::<Toy>::new()).await.unwrap()
}

pub fn answers(applied: Applied<Toy>) -> Vec<Answer<Toy>> {
    applied.answers.into_iter().map(|(_, answer)| answer).collect()
}

pub fn sent(bus: &MemoryBus) -> Vec<EventId> {
    let id = |record: bus::Outgoing| {
        let id = record.headers.get("ce_id").unwrap();
        str::from_utf8(id).unwrap().parse().unwrap()
    };
    bus.records().into_iter().map(id).collect()
}

/// An outside world that answers 5 unless the test plans another result.
pub struct Provider {
    meeting: Barrier,
    asked: Mutex<Vec<EffectId>>,
    answers: Mutex<VecDeque<Next>>,
    /// The result of these requests, however often they are made.
    always: Mutex<HashMap<EffectId, Next>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            meeting: Barrier::new(2),
            asked: Mutex::default(),
            answers: Mutex::default(),
            always: Mutex::default(),
            running: AtomicUsize::default(),
            most: AtomicUsize::default(),
        }
    }
}

#[derive(Debug, Clone)]
pub enum Next {
    Answer(i64),
    NoAnswer,
    /// The request itself is refused.
    Refuse,
    Never,
    /// Meets the test twice, then has no answer.
    Later,
    Panic,
}

impl Provider {
    /// The requests that were made since the last call, in order.
    pub fn asked(&self) -> Vec<EffectId> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub fn plan(&self, answers: impl IntoIterator<Item = Next>) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// Plans the result of these requests from now on.
    pub fn always(&self, ids: impl IntoIterator<Item = EffectId>, next: &Next) {
        self.always.lock().unwrap().extend(ids.into_iter().map(|id| (id, next.clone())));
    }

    /// Forgets the results planned by [`Provider::always`].
    pub fn heal(&self) {
        self.always.lock().unwrap().clear();
    }

    /// Meets a request whose result is [`Next::Later`].
    pub async fn met(&self) {
        self.meeting.wait().await;
    }

    /// The most requests that were under way at once.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Outside<Toy> for Provider {
    async fn attempt(&self, id: EffectId, _: Ask, _: Trace) -> Attempt<i64> {
        self.asked.lock().unwrap().push(id);
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        // Lets the others start.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        let always = self.always.lock().unwrap().get(&id).cloned();
        let next = always.or_else(|| self.answers.lock().unwrap().pop_front());
        match next.unwrap_or(Next::Answer(5)) {
            Next::Answer(number) => Attempt::Answered(number),
            Next::NoAnswer => Attempt::NoAnswer("503".into()),
            Next::Refuse => Attempt::Refused("400".into()),
            Next::Later => {
                self.met().await;
                self.met().await;
                Attempt::NoAnswer("503".into())
            }
            Next::Never => std::future::pending().await,
            Next::Panic => panic!("asked to"),
        }
    }
}
