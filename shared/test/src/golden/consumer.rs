//! Applies golden records to a service.

use std::{marker::PhantomData, sync::Arc};

use clock::ManualClock;
use engine::{
    Engine, EngineOptions, Input, Origin, Pending, Relay, Settings, UnconfirmedAnswers, What, Work,
    chunk,
};
use event::{Contract as _, Decoded, EventType as _, Trace, Versions};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::{Database, MemoryBus, record_at};
use uuid::Uuid;

use super::Record;
use crate::{Described, Saga};

/// The real engine of a service on a database of its own. It applies a batch when a test asks for it.
pub struct Consumer<S: Described<G> + Default, G: Saga> {
    engine: Engine<S>,
    bus: MemoryBus,
    relay: Relay,
    /// The number of inputs of [`Described::before`], from which their ids are made.
    inputs: u128,
    saga: PhantomData<G>,
}

impl<S: Described<G> + Default, G: Saga> Consumer<S, G> {
    /// A consumer that has applied no record yet.
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
        Self { engine, bus, relay, inputs: 0, saga: PhantomData }
    }

    /// Applies the inputs of [`Described::before`] and then the record. Returns what followed: the events (`says`), the
    /// requests to the outside world (`asks`), and the service's state (`knows`). It then applies the record once more, to
    /// check that a repeat is recognised and changes nothing.
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
            self.apply(name, vec![work]).await;
        }
        let (published, requested) = (self.published().await.len(), self.requests(&event).await);

        let duplicates = self.apply(name, Self::received(name, &event, record)).await;
        assert_eq!(duplicates, 0, "{name}");
        let mut requests = self.requests(&event).await;
        requests.retain(|effect| !requested.contains(effect));
        let events = self.published().await.split_off(published);
        let state = S::knows(self.engine.db(), &event).await;

        let duplicates = self.apply(name, Self::received(name, &event, record)).await;
        let again = S::knows(self.engine.db(), &event).await;
        assert_eq!((duplicates, &again), (1, &state), "{name}, again");
        json!({ "says": events, "asks": requests, "knows": state })
    }

    /// The inputs that the engine's consumer makes of the record.
    fn received(name: &str, event: &G::Contract, record: &Record) -> Vec<Work<S>> {
        let topic = event.event_type().topic();
        let chunk = chunk::<S>(vec![record.incoming(topic, 7)]);
        assert_eq!(chunk.unreadable, [], "{} refuses {name}", S::NAME);
        assert!(chunk.passed.is_empty(), "{} passes over {name}", S::NAME);
        chunk.works.into_iter().map(|Pending { work, .. }| work).collect()
    }

    /// An input of [`Described::before`], with an id of its own.
    fn work(&mut self, event: &G::Contract, what: What<S>) -> Work<S> {
        self.inputs += 1;
        let mut cause = Uuid::from_u128(self.inputs);
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

    /// Applies a batch. Returns how many of its inputs had been applied before.
    async fn apply(&self, name: &str, works: Vec<Work<S>>) -> usize {
        let applied = self.engine.apply_batch(&works, &mut UnconfirmedAnswers::<S>::new()).await;
        applied
            .unwrap_or_else(|error| panic!("{} cannot apply {name}: {error}", S::NAME))
            .duplicates
    }

    /// The types of all events that it has published so far.
    async fn published(&mut self) -> Vec<String> {
        self.relay.step().await.expect("the bus takes everything");
        let records = self.bus.records().into_iter();
        let types = records.map(|record| {
            let of_type = record.headers.get("ce_type").expect("a type");
            String::from_utf8(of_type.into()).expect("text")
        });
        types.collect()
    }

    /// The requests about the event's aggregate that have no answer yet.
    async fn requests(&self, event: &G::Contract) -> Vec<Value> {
        let Some(aggregate) = event.aggregate() else { return Vec::new() };
        let query = "select payload from effect where aggregate_id = $1 order by id";
        let rows = self.engine.db().fetch(query, vec![Uuid::into(aggregate.into())]).await;
        let rows = rows.expect("effects").into_iter();
        let payloads = rows.map(|row| row.get::<String>(0).expect("a payload"));
        payloads.map(|payload| serde_json::from_str(&payload).expect("JSON")).collect()
    }
}
