//! The loops of production, on the embedded log.

mod bus_identity;
mod failures;
mod flow;
mod forgetting;
mod poison;
mod replicas;

use std::{sync::Arc, time::Duration};

use bus::{Bus, Log, LogOptions, Outgoing, Topic};
use clock::{ManualClock, SystemRandom};
use event::{Contract as _, EventId, EventType as _, Trace, Versions, decode, encode};
use jiff::Timestamp;
use quintet_engine::{Answer, Commands, Engine, Fatal, Runtime, Settings, Surroundings};
use tempfile::TempDir;
use testkit::eventually;
use testkit::toy::{AddOne, TallyId, ToyEvent};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{
    rig::{Rig, rigs_with},
    toy::{Add, Toy},
    work::event_id,
};

const TOPICS: [Topic; 4] = [topic("sums"), topic("questions"), topic("bells"), topic("ends")];

const fn topic(name: &'static str) -> Topic {
    Topic { name, partitions: 2, compacted: false }
}

/// A database, a log and a provider, on which the toy can be started and stopped.
struct Stage {
    rig: Rig,
    bus: Arc<dyn Bus>,
    _directory: TempDir,
}

/// One stage for each database.
async fn stages() -> Vec<Stage> {
    let settings = Settings {
        relay_poll: Duration::from_millis(20),
        poll: Duration::from_millis(10),
        backoff: Duration::from_millis(10),
        backoff_max: Duration::from_millis(50),
        ..Settings::default()
    };
    let mut stages = Vec::new();
    for rig in rigs_with(settings).await {
        stages.push(Stage::on(rig).await);
    }
    stages
}

/// A toy service that runs.
struct Running {
    engine: Arc<Engine<Toy>>,
    commands: Commands<Toy>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Fatal>>,
}

impl Stage {
    async fn on(rig: Rig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bus.db");
        let bus = Log::open(&path, "", LogOptions::default()).await.unwrap();
        bus.create_topics(&TOPICS).await.unwrap();
        Self { rig, bus: Arc::new(bus), _directory: directory }
    }

    fn start(&self) -> Running {
        self.start_toy(Toy::default())
    }

    fn start_toy(&self, toy: Toy) -> Running {
        self.start_on(Arc::clone(&self.bus), toy)
    }

    fn start_on(&self, bus: Arc<dyn Bus>, toy: Toy) -> Running {
        let around = Surroundings {
            bus,
            outside: self.rig.provider.clone(),
            random: Arc::new(SystemRandom),
            topics: TOPICS.into(),
        };
        let (runtime, commands) = Runtime::new(self.rig.another_of(toy), around);
        let (stop, stopped) = watch::channel(false);
        let engine = runtime.engine();
        Running { engine, commands, stop, task: tokio::spawn(runtime.run(stopped)) }
    }

    async fn publish(&self, records: &[Outgoing]) {
        let published = self.bus.producer().await.unwrap().publish(records).await;
        assert!(published.error.is_none(), "{:?}", published.error);
    }

    /// Waits until the tally's log reads `expected`.
    async fn log_is(&self, tally_id: TallyId, expected: &str) {
        let read = async || (self.rig.log(tally_id).await == expected).then_some(());
        eventually(&format!("{tally_id}'s log to read {expected:?}"), read).await;
    }

    /// How many records the toy has yet to apply, by the offsets at the bus.
    async fn lag(&self) -> i64 {
        let names = TOPICS.map(|topic| topic.name);
        let states = self.bus.partitions("toy-toy", &names).await.unwrap();
        states.iter().map(bus::PartitionState::lag).sum()
    }

    /// The ids of all events of this type that were published to `topic`.
    async fn published(&self, topic: &str, event_type: &str, count: usize) -> Vec<EventId> {
        let mut consumer = self.bus.consumer("check", &[topic]).await.unwrap();
        let mut ids = Vec::new();
        while ids.len() < count {
            let received = timeout(Duration::from_secs(30), consumer.receive(1_000)).await;
            for record in received.unwrap_or_else(|_| panic!("{} of {count}", ids.len())).unwrap() {
                if let Ok(event::Decoded::Event(envelope)) =
                    decode::<ToyEvent>(&record.key, &record.headers, &record.value)
                    && envelope.event.event_type().as_str() == event_type
                {
                    ids.push(envelope.id);
                }
            }
        }
        assert_eq!(ids.len(), count);
        ids
    }
}

impl Running {
    async fn add(&self, tally_id: TallyId, by: i64) -> Answer<Toy> {
        self.commands.send(Add { tally_id, by }, None, Trace::default()).await
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.ended().await.unwrap();
    }

    async fn ended(self) -> Result<(), Fatal> {
        let ended = timeout(Duration::from_secs(30), self.task).await;
        ended.expect("the toy ends").expect("the toy does not panic")
    }

    /// Waits until `all` inputs are counted, of which `duplicates` had been applied before.
    async fn inputs_are(&self, bus: &dyn Bus, all: u64, duplicates: u64) {
        // Inputs are counted just after the commit.
        let counted = async || {
            let status = self.engine.status(bus).await.unwrap();
            (status.inputs >= all).then_some((status.inputs, status.duplicates))
        };
        assert_eq!(eventually("the inputs to be counted", counted).await, (all, duplicates));
    }
}

fn record(number: u128, event: impl Into<ToyEvent>) -> Outgoing {
    let (at, versions) = (Timestamp::UNIX_EPOCH, Versions::default());
    encode(event_id(number), "/test", at, &Trace::default(), &event.into(), &versions).into()
}

fn add(number: u128, tally_id: TallyId) -> Outgoing {
    record(number, AddOne { tally_id })
}

/// Lets a little time pass; called each time that a condition is checked.
fn advance(clock: &ManualClock) {
    clock.advance(Duration::from_millis(100));
}
