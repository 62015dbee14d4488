//! Checks that the round trips of two replicas may interleave in any way.

use std::{collections::BTreeSet, marker::PhantomData, sync::Arc, time::Duration};

use bus::DEFAULT_MAX_RECORD_BYTES;
use clock::{ManualClock, Random, SeededRandom};
use engine::{
    BatchError, Effect, Engine, EngineOptions, Input, Origin, Settings, UnconfirmedAnswers, What,
    Work,
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

/// Checks that two replicas of a service, which work on one aggregate at the same time on one PostgreSQL database, have the
/// same result as one after the other, for any interleaving of their round trips. Without a PostgreSQL server it checks
/// nothing, since SQLite has one writer and nothing can interleave.
///
/// # Panics
/// If an interleaving has another result.
pub async fn replicas<S: Described<G> + Default, G: Saga>(cases: &[AtOnce<TypeOf<G::Contract>>]) {
    let Some(database) = Database::on_postgres().await else { return };
    let pair = ReplicaPair::<S, G>::on(database).await;
    for case in cases {
        pair.check(case).await;
    }
}

/// Longer than any deadline of a saga.
const LATER: Duration = Duration::from_hours(24);
/// The number of random interleavings beside the systematic ones.
const RANDOM: u64 = 10;
/// How often a replica is inspected before the database is asked whether it waits for a lock.
const INSPECTIONS: u32 = 100;
/// How long a replica may take for a round trip before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The progress of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Its next round trip waits at the gate.
    Waiting,
    /// It waits for a lock that the other replica holds.
    Locked,
    /// It has committed.
    Done,
}

struct Replica<S: Service> {
    name: &'static str,
    gate: Gate,
    engine: Arc<Engine<S>>,
}

/// Two replicas on one database, and a connection for inspecting it.
struct ReplicaPair<S: Service, G> {
    saga: PhantomData<G>,
    observer: Db,
    clock: Arc<ManualClock>,
    replicas: [Replica<S>; 2],
    _database: Database,
}

/// An input for a replica.
struct Prepared<S: Service> {
    /// The id of the input.
    cause: Uuid,
    says: Says<TypeOf<S::Contract>>,
    /// The request that the input answers, if it is an answer.
    effect: Option<S::Effect>,
}

/// The result of a case: the rows of all tables, outbox, effects and alarms included.
type Outcome = Vec<String>;

impl<S: Described<G> + Default, G: Saga> ReplicaPair<S, G> {
    async fn on(database: Database) -> Self {
        let observer = database.migrated(engine::migrations().and(S::migrations())).await;
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let replicas = [
            Replica::new("one", &database, &clock).await,
            Replica::new("other", &database, &clock).await,
        ];
        Self { saga: PhantomData, _database: database, observer, clock, replicas }
    }

    /// Checks a case. It applies the two inputs one after the other in both orders, and then in many interleavings: each must
    /// have the result of one of the two orders.
    async fn check(&self, case: &AtOnce<TypeOf<G::Contract>>) {
        let AtOnce { before, one, other } = *case;
        let (mut serial, mut trips) = (BTreeSet::new(), [0, 0]);
        for order in [[0, 1], [1, 0]] {
            self.begin(before).await;
            let inputs = [self.prepare(one).await, self.prepare(other).await];
            for nth in order {
                let replica = &self.replicas[nth];
                let passed = replica.gate.passed();
                apply::<S, G>(Arc::clone(&replica.engine), Arc::clone(&inputs[nth])).await;
                trips[nth] = trips[nth].max(replica.gate.passed() - passed);
            }
            serial.insert(self.outcome().await);
        }
        for schedule in schedules(trips) {
            self.begin(before).await;
            let inputs = [self.prepare(one).await, self.prepare(other).await];
            self.play(inputs, &schedule).await;
            let outcome = self.outcome().await;
            assert!(
                serial.contains(&outcome),
                "{one:?} and {other:?} by {schedule:?}:\n{outcome:#?}\nin order:\n{serial:#?}"
            );
        }
    }

    /// Empties all tables, and applies the inputs `before`.
    async fn begin(&self, before: &[Says<TypeOf<G::Contract>>]) {
        for table in self.tables().await {
            let sql = format!("delete from {table}");
            self.observer.fetch(&sql, Vec::new()).await.expect("the table is emptied");
        }
        self.clock.set(Timestamp::UNIX_EPOCH);
        for says in before {
            let input = self.prepare(*says).await;
            apply::<S, G>(Arc::clone(&self.replicas[0].engine), input).await;
        }
        self.clock.advance(LATER);
    }

    /// Applies the two inputs at the same time. Each entry of the schedule lets one round trip of that replica through. At
    /// the end each replica is let go on until it has committed.
    async fn play(&self, inputs: [Arc<Prepared<S>>; 2], schedule: &[usize]) {
        for replica in &self.replicas {
            replica.gate.close();
        }
        let ([first, second], [one, other]) = (&self.replicas, inputs);
        let tasks = [
            tokio::spawn(apply::<S, G>(Arc::clone(&first.engine), one)),
            tokio::spawn(apply::<S, G>(Arc::clone(&second.engine), other)),
        ];
        for nth in schedule {
            let (replica, task) = (&self.replicas[*nth], &tasks[*nth]);
            if self.progress(replica, task).await == Progress::Waiting {
                let passed = replica.gate.passed();
                replica.gate.step();
                while replica.gate.passed() == passed {
                    yield_now().await;
                }
                self.progress(replica, task).await;
            }
        }
        for (replica, task) in self.replicas.iter().zip(&tasks) {
            replica.gate.open();
            // A replica that waits for a lock goes on when the other one has committed.
            while self.progress(replica, task).await == Progress::Waiting {
                yield_now().await;
            }
        }
        for task in tasks {
            task.await.expect("the batch commits in the end");
        }
    }

    /// Waits until the replica has committed, or cannot go on by itself.
    async fn progress(&self, replica: &Replica<S>, task: &JoinHandle<()>) -> Progress {
        let give_up = Instant::now() + PATIENCE;
        loop {
            // Most replicas stop within this time. Asking the database would cost a round trip each time.
            for _ in 0..INSPECTIONS {
                if task.is_finished() {
                    return Progress::Done;
                }
                if replica.gate.waits() {
                    return Progress::Waiting;
                }
                yield_now().await;
            }
            let sql = "select 1 from pg_stat_activity where datname = current_database() \
                       and application_name = $1 and wait_event_type = 'Lock'";
            let rows = self.observer.fetch(sql, vec![replica.name.into()]).await;
            if !rows.expect("the observer's query").is_empty() {
                return Progress::Locked;
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

    /// The rows of all tables, without claims and without the ids of outbox rows: these depend on the replica that wrote
    /// the row.
    async fn outcome(&self) -> Outcome {
        let mut outcome = Vec::new();
        for table in self.tables().await {
            let (from, columns) = match table.as_str() {
                "outbox" => ("outbox_event", "topic || ' ' || value::text"),
                "effect" => ("effect", "payload"),
                "alarm" => ("alarm", "name || ' ' || rings_at"),
                other => (other, "to_jsonb(it)::text"),
            };
            let sql = format!("select '{table} ' || {columns} from {from} it order by 1");
            let rows = self.observer.fetch(&sql, Vec::new()).await.expect("the rows");
            outcome.extend(rows.iter().map(|row| row.get::<String>(0).expect("text")));
        }
        outcome
    }

    /// Prepares an input. An answer needs the id and the request from the table of effects.
    async fn prepare(&self, says: Says<TypeOf<G::Contract>>) -> Arc<Prepared<S>> {
        let (mut cause, mut effect) = (says.cause(), None);
        if let Says::Answer(_) = says {
            let rows = self.observer.fetch("select id, payload from effect", Vec::new()).await;
            let row = &rows.expect("the effects")[0];
            cause = row.get::<EffectId>(0).expect("an id").into();
            let Json(payload) = row.get(1).expect("a request");
            effect = Some(payload);
        }
        Arc::new(Prepared { cause, says, effect })
    }
}

impl<S: Service> Prepared<S> {
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

/// Applies an input as a batch, and retries until it commits, as the engine's retry loop does.
async fn apply<S: Described<G>, G: Saga>(engine: Arc<Engine<S>>, input: Arc<Prepared<S>>) {
    let (works, mut unconfirmed) = ([input.work()], UnconfirmedAnswers::<S>::new());
    while let Err(error) = engine.apply_batch(&works, &mut unconfirmed).await {
        match error {
            BatchError::Store(error) if error.class() != Class::Data => {
                // All transactions take their locks in the same order, so there can be no deadlock.
                assert!(!error.to_string().contains("deadlock"), "{error}");
            }
            error => panic!("{error}"),
        }
    }
}

/// The interleavings of two replicas that need so many round trips. In the systematic ones the first replica makes some round
/// trips, then the second some, and then each goes on to its end: one for each pair of numbers of round trips. In the others
/// they alternate at random.
fn schedules(trips: [u64; 2]) -> Vec<Vec<usize>> {
    let [one, other] = trips;
    let repeat =
        |nth: usize, count: u64| std::iter::repeat_n(nth, usize::try_from(count).unwrap_or(0));
    let mut all: Vec<Vec<usize>> = (0..=one)
        .flat_map(|first| (0..=other).map(move |second| (first, second)))
        .map(|(first, second)| repeat(0, first).chain(repeat(1, second)).collect())
        .collect();
    for seed in 0..RANDOM {
        let random = SeededRandom::new(seed);
        // Enough for each replica to fail once and then to commit.
        all.push((0..(one + other) * 2).map(|_| usize::from(random.below(2) == 1)).collect());
    }
    all
}
