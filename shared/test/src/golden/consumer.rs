use std::{marker::PhantomData, sync::Arc};

use clock::ManualClock;
use engine::{
    Engine, EngineOptions, Input, Origin, Pending, Relay, Remembered, Settings, What, Work, chunk,
};
use event::{Contract as _, Decoded, EventType as _, Trace, Versions};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::{Database, MemoryBus, record_at};
use uuid::Uuid;

use super::Record;
use crate::{Described, Saga};

/// A service's real engine on a database of its own, turned by hand.
pub struct Consumer<S: Described<G> + Default, G: Saga> {
    engine: Engine<S>,
    bus: MemoryBus,
    relay: Relay,
    heard: u128,
    saga: PhantomData<G>,
}

impl<S: Described<G> + Default, G: Saga> Consumer<S, G> {
    /// One that has heard nothing yet.
    pub async fn open(database: &Database) -> Self {
        let db = database.migrated(engine::migrations().and(S::migrations())).await;
        let options = EngineOptions {
            settings: Settings::default(),
            versions: Versions::default(),
            max_record_bytes: bus::DEFAULT_MAX_RECORD_BYTES,
            replica: Uuid::from_u128(1),
        };
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let engine = Engine::new(S::default(), db, clock, options);
        let bus = MemoryBus::default();
        let relay = engine.relay(Arc::new(bus.clone()));
        Self { engine, bus, relay, heard: 0, saga: PhantomData }
    }

    /// Plays what came before, hears the record, and tells what came of it: what the service says,
    /// what it asks of the outside world, and what it knows then. Hearing it again changes nothing.
    ///
    /// # Panics
    /// If the record is refused, or a repeat is not recognised.
    pub async fn hears(&mut self, name: &str, record: &Record) -> Value {
        let Ok(Decoded::Event(envelope)) = record.decode::<G::Contract>() else {
            panic!("{name} is no event")
        };
        let event = envelope.event;
        for what in S::before(&event) {
            let work = self.work(&event, what);
            self.turn(name, vec![work]).await;
        }
        let (said, asked) = (self.said().await.len(), self.asked(&event).await);

        let duplicates = self.turn(name, Self::received(name, &event, record)).await;
        assert_eq!(duplicates, 0, "{name}");
        let mut asks = self.asked(&event).await;
        asks.retain(|effect| !asked.contains(effect));
        let says = self.said().await.split_off(said);
        let knows = S::knows(self.engine.db(), &event).await;

        let duplicates = self.turn(name, Self::received(name, &event, record)).await;
        let again = S::knows(self.engine.db(), &event).await;
        assert_eq!((duplicates, &again), (1, &knows), "{name}, again");
        json!({ "says": says, "asks": asks, "knows": knows })
    }

    /// As the intake takes it from the bus.
    fn received(name: &str, event: &G::Contract, record: &Record) -> Vec<Work<S>> {
        let topic = event.event_type().topic();
        let chunk = chunk::<S>(vec![record.incoming(topic, 7)]);
        assert_eq!(chunk.unreadable, [], "{} refuses {name}", S::NAME);
        assert!(chunk.passed.is_empty(), "{} passes over {name}", S::NAME);
        chunk.works.into_iter().map(|Pending { work, .. }| work).collect()
    }

    /// An input of its own, of before.
    fn work(&mut self, event: &G::Contract, what: What<S>) -> Work<S> {
        self.heard += 1;
        let mut cause = Uuid::from_u128(self.heard);
        let origin = match &what {
            What::Event(_) => Origin::Event(record_at("before", 0)),
            What::Command(_) => Origin::Command(None),
            What::Alarm(..) => Origin::Alarm,
            What::Outcome(..) => {
                cause = S::asked_for(event).expect("the request that it answers").into();
                Origin::Outcome
            }
        };
        let (at, trace) = (Timestamp::UNIX_EPOCH, Trace::default());
        Work { input: Input { cause, at, trace, what }, origin }
    }

    /// How many had been applied before.
    async fn turn(&self, name: &str, works: Vec<Work<S>>) -> usize {
        let turn = self.engine.turn(&works, &mut Remembered::<S>::new()).await;
        turn.unwrap_or_else(|error| panic!("{} cannot apply {name}: {error}", S::NAME)).duplicates
    }

    /// Everything that it ever said.
    async fn said(&mut self) -> Vec<String> {
        self.relay.turn().await.expect("the bus takes everything");
        let records = self.bus.records().into_iter();
        let types = records.map(|record| {
            let of_type = record.headers.get("ce_type").expect("a type");
            String::from_utf8(of_type.into()).expect("text")
        });
        types.collect()
    }

    /// The requests about the event's aggregate that wait for an answer.
    async fn asked(&self, event: &G::Contract) -> Vec<Value> {
        let Some(aggregate) = event.aggregate() else { return Vec::new() };
        let query = "select payload from effect where aggregate_id = $1 order by id";
        let rows = self.engine.db().fetch(query, vec![Uuid::into(aggregate.into())]).await;
        let rows = rows.expect("effects").into_iter();
        let payloads = rows.map(|row| row.get::<String>(0).expect("a payload"));
        payloads.map(|payload| serde_json::from_str(&payload).expect("JSON")).collect()
    }
}
