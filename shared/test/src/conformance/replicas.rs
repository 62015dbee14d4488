use std::{collections::BTreeSet, marker::PhantomData, sync::Arc, time::Duration};

use bus::DEFAULT_MAX_RECORD_BYTES;
use clock::{ManualClock, Random, SeededRandom};
use engine::{
    Effect, Engine, EngineOptions, Input, Origin, Remembered, Settings, TurnError, What, Work,
};
use event::{Contract as _, EffectId, EventType, Trace, TypeOf, Versions};
use jiff::Timestamp;
use service::Service;
use store::{Class, Db, Json};
use testkit::{Database, record_at};
use tokio::{
    task::{JoinHandle, yield_now},
    time::Instant,
};
use uuid::Uuid;

use super::{
    gate::Gate,
    says::{AtOnce, Says},
};
use crate::{
    Described, Saga,
    contract::{AGGREGATE, example_of},
};

/// Two replicas of a service work on one aggregate at once, on one PostgreSQL database. However their round trips
/// interleave, the outcome is that of one after the other. Without a PostgreSQL server nothing is checked, as SQLite
/// has one writer and nothing to interleave.
///
/// # Panics
/// If an interleaving comes to something else.
pub async fn replicas<S: Described<G> + Default, G: Saga>(cases: &[AtOnce<TypeOf<G::Contract>>]) {
    let Some(database) = Database::on_postgres().await else { return };
    let stage = Stage::<S, G>::on(database).await;
    for case in cases {
        stage.check(case).await;
    }
}

/// Longer than any deadline of a saga.
const LATER: Duration = Duration::from_hours(24);
/// Interleavings beyond the systematic ones.
const RANDOM: u64 = 10;
/// Looks at a replica before the database is asked what it is doing.
const LOOKS: u32 = 100;
/// Much longer than a round trip takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a replica is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Its next round trip waits to be let through.
    Waiting,
    /// The database makes it wait for the other one.
    Locked,
    Done,
}

struct Replica<S: Service> {
    name: &'static str,
    gate: Gate,
    engine: Arc<Engine<S>>,
}

/// Two replicas, and a connection that looks at the database beside them.
struct Stage<S: Service, G> {
    saga: PhantomData<G>,
    observer: Db,
    clock: Arc<ManualClock>,
    replicas: [Replica<S>; 2],
    _database: Database,
}

/// What comes to a replica, to be made as often as it is needed.
struct Said<S: Service> {
    cause: Uuid,
    says: Says<TypeOf<S::Contract>>,
    /// The request that it answers, where it is an answer.
    effect: Option<S::Effect>,
}

/// All that can be seen of what a service has done: its rows, and what is to leave it.
type Outcome = Vec<String>;

impl<S: Described<G> + Default, G: Saga> Stage<S, G> {
    async fn on(database: Database) -> Self {
        let observer = database.migrated(engine::migrations().and(S::migrations())).await;
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let replicas = [
            Replica::new("one", &database, &clock).await,
            Replica::new("other", &database, &clock).await,
        ];
        Self { saga: PhantomData, _database: database, observer, clock, replicas }
    }

    /// After `before`, `one` comes to the one replica and `other` to the other. However their round
    /// trips interleave, it comes to what it comes to in one of the two orders without any.
    async fn check(&self, case: &AtOnce<TypeOf<G::Contract>>) {
        let AtOnce { before, one, other } = *case;
        let (mut serial, mut trips) = (BTreeSet::new(), [0, 0]);
        for order in [[0, 1], [1, 0]] {
            self.begin(before).await;
            let works = [self.said(one).await, self.said(other).await];
            for nth in order {
                let replica = &self.replicas[nth];
                let passed = replica.gate.passed();
                settle::<S, G>(Arc::clone(&replica.engine), Arc::clone(&works[nth])).await;
                trips[nth] = trips[nth].max(replica.gate.passed() - passed);
            }
            serial.insert(self.outcome().await);
        }
        for schedule in schedules(trips) {
            self.begin(before).await;
            let works = [self.said(one).await, self.said(other).await];
            self.play(works, &schedule).await;
            let outcome = self.outcome().await;
            assert!(
                serial.contains(&outcome),
                "{one:?} and {other:?} by {schedule:?}:\n{outcome:#?}\nin order:\n{serial:#?}"
            );
        }
    }

    /// Forgets everything, then lets `before` happen.
    async fn begin(&self, before: &[Says<TypeOf<G::Contract>>]) {
        for table in self.tables().await {
            let sql = format!("delete from {table}");
            self.observer.fetch(&sql, Vec::new()).await.expect("it is emptied");
        }
        self.clock.set(Timestamp::UNIX_EPOCH);
        for says in before {
            let work = self.said(*says).await;
            settle::<S, G>(Arc::clone(&self.replicas[0].engine), work).await;
        }
        self.clock.advance(LATER);
    }

    /// Lets the two go by turns as the schedule says, and then each to its end.
    async fn play(&self, [one, other]: [Arc<Said<S>>; 2], schedule: &[usize]) {
        for replica in &self.replicas {
            replica.gate.close();
        }
        let [first, second] = &self.replicas;
        let tasks = [
            tokio::spawn(settle::<S, G>(Arc::clone(&first.engine), one)),
            tokio::spawn(settle::<S, G>(Arc::clone(&second.engine), other)),
        ];
        for nth in schedule {
            let (replica, task) = (&self.replicas[*nth], &tasks[*nth]);
            if self.standing(replica, task).await == Standing::Waiting {
                let passed = replica.gate.passed();
                replica.gate.step();
                while replica.gate.passed() == passed {
                    yield_now().await;
                }
                self.standing(replica, task).await;
            }
        }
        for (replica, task) in self.replicas.iter().zip(&tasks) {
            replica.gate.open();
            // One that is locked goes on with the other.
            while self.standing(replica, task).await == Standing::Waiting {
                yield_now().await;
            }
        }
        for task in tasks {
            task.await.expect("it commits in the end");
        }
    }

    async fn standing(&self, replica: &Replica<S>, task: &JoinHandle<()>) -> Standing {
        let give_up = Instant::now() + PATIENCE;
        loop {
            // Most round trips take no longer; to ask the database costs one.
            for _ in 0..LOOKS {
                if task.is_finished() {
                    return Standing::Done;
                }
                if replica.gate.waits() {
                    return Standing::Waiting;
                }
                yield_now().await;
            }
            let sql = "select 1 from pg_stat_activity where datname = current_database() \
                       and application_name = $1 and wait_event_type = 'Lock'";
            let rows = self.observer.fetch(sql, vec![replica.name.into()]).await;
            if !rows.expect("the observer sees").is_empty() {
                return Standing::Locked;
            }
            assert!(Instant::now() < give_up, "{} does nothing", replica.name);
        }
    }

    async fn tables(&self) -> Vec<String> {
        let sql = "select tablename::text from pg_tables where schemaname = 'public' \
                   and tablename not in ('_sqlx_migrations', 'lease') order by 1";
        let rows = self.observer.fetch(sql, Vec::new()).await.expect("the tables");
        rows.iter().map(|row| row.get(0).expect("a name")).collect()
    }

    /// All tables without claims and without the ids of the outbox's rows, which only tell which replica wrote a row.
    async fn outcome(&self) -> Outcome {
        let mut outcome = Vec::new();
        for table in self.tables().await {
            let (from, told) = match table.as_str() {
                "outbox" => ("outbox_event", "topic || ' ' || value::text"),
                "effect" => ("effect", "payload"),
                "alarm" => ("alarm", "name || ' ' || rings_at"),
                other => (other, "to_jsonb(it)::text"),
            };
            let sql = format!("select '{table} ' || {told} from {from} it order by 1");
            let rows = self.observer.fetch(&sql, Vec::new()).await.expect("its rows");
            outcome.extend(rows.iter().map(|row| row.get::<String>(0).expect("text")));
        }
        outcome
    }

    async fn said(&self, says: Says<TypeOf<G::Contract>>) -> Arc<Said<S>> {
        let (mut cause, mut effect) = (says.cause(), None);
        if let Says::Answer(_) = says {
            let rows = self.observer.fetch("select id, payload from effect", Vec::new()).await;
            let row = &rows.expect("the effects")[0];
            cause = row.get::<EffectId>(0).expect("an id").into();
            let Json(payload) = row.get(1).expect("a request");
            effect = Some(payload);
        }
        Arc::new(Said { cause, says, effect })
    }
}

impl<S: Service> Said<S> {
    fn work<G: Saga>(&self) -> Work<S>
    where
        S: Described<G>,
    {
        let event = |kind, aggregate| {
            let event = S::variants(example_of(kind, aggregate)).remove(0);
            let topic = event.event_type().topic().to_owned();
            (What::Event(event), Origin::Event(record_at(topic, 0)))
        };
        let (what, origin) = match (self.says, &self.effect) {
            (Says::Event(kind), _) => event(kind, AGGREGATE),
            (Says::OfAnother(kind), _) => event(kind, Uuid::from_u128(AGGREGATE.as_u128() + 1)),
            (Says::Command(nth), _) => {
                (What::Command(S::commands().remove(nth)), Origin::Command(None))
            }
            (Says::Answer(nth), Some(effect)) => {
                let outcome = S::outcomes(effect).remove(nth);
                (What::Outcome(effect.aggregate(), outcome), Origin::Outcome)
            }
            (Says::Answer(_), None) => unreachable!("an answer has its request"),
            (Says::Ring(name), _) => {
                let Ok(alarm) = name.parse() else { panic!("{name} is no alarm") };
                (What::Alarm(AGGREGATE.into(), alarm), Origin::Alarm)
            }
        };
        let input =
            Input { cause: self.cause, at: Timestamp::UNIX_EPOCH, trace: Trace::default(), what };
        Work { input, origin }
    }
}

impl<S: Service + Default> Replica<S> {
    async fn new(name: &'static str, database: &Database, clock: &Arc<ManualClock>) -> Self {
        let url = database.url();
        let (head, name_of_database) = url.rsplit_once('/').expect("a database");
        let (user, server) = head.rsplit_once('@').expect("a user");
        let gate = Gate::before(server).await;
        let port = gate.port();
        let url = format!("{user}@127.0.0.1:{port}/{name_of_database}?application_name={name}");
        let db = Db::connect(&url, 1).await.expect("the database opens");
        let options = EngineOptions {
            settings: Settings { exclusive: false, ..Settings::default() },
            versions: Versions::default(),
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            replica: Uuid::from_u128(u128::from(port)),
        };
        let engine = Arc::new(Engine::new(S::default(), db, clock.clone(), options));
        Self { name, gate, engine }
    }
}

/// Turns until it commits, as production does.
async fn settle<S: Described<G>, G: Saga>(engine: Arc<Engine<S>>, said: Arc<Said<S>>) {
    let (works, mut remembered) = ([said.work()], Remembered::<S>::new());
    while let Err(error) = engine.turn(&works, &mut remembered).await {
        match error {
            TurnError::Store(error) if error.class() != Class::Data => {
                // All take their locks in one order.
                assert!(!error.to_string().contains("deadlock"), "{error}");
            }
            error => panic!("{error}"),
        }
    }
}

/// One gets so far, the other so far, then the one goes on to its end, and the other to its own; from
/// every point of the one to every point of the other. And some in which they take random turns.
fn schedules([one, other]: [u64; 2]) -> Vec<Vec<usize>> {
    let repeat =
        |nth: usize, count: u64| std::iter::repeat_n(nth, usize::try_from(count).unwrap_or(0));
    let mut all: Vec<Vec<usize>> = (0..=one)
        .flat_map(|first| (0..=other).map(move |second| (first, second)))
        .map(|(first, second)| repeat(0, first).chain(repeat(1, second)).collect())
        .collect();
    for seed in 0..RANDOM {
        let random = SeededRandom::new(seed);
        // Enough for a turn of each that fails, and one that commits.
        all.push((0..(one + other) * 2).map(|_| usize::from(random.below(2) == 1)).collect());
    }
    all
}
