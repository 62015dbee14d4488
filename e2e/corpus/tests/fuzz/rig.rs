//! A service with its real engine and routes, called without a network.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, header::CONTENT_TYPE},
};
use choreography::example;
use clock::{Clock, SystemClock, SystemRandom};
use contracts::{Event, EventType};
use engine::{
    Attempt, Engine, EngineOptions, Input, Origin, Outside, Participant, Runtime, Settings,
    Surroundings, UnconfirmedAnswers, What, Work,
};
use event::{Contract as _, EffectId, EventType as _, Trace, Versions};
use jiff::Timestamp;
use serde_json::Value;
use service::{App, Parts, Sampling, Service, Telemetry, public_router};
use store::Db;
use testkit::{Database, MemoryBus, record_at};
use tokio::sync::watch;
use tower::ServiceExt;
use uuid::Uuid;

/// More bytes than any response has.
const LONGEST: usize = 1 << 24;

pub struct Rig {
    pub router: Router,
    pub db: Db,
    /// Stops the engine when it is dropped.
    _stop: watch::Sender<bool>,
    _database: Database,
}

/// The parts of a response that the tests check.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub content_type: String,
    /// Null if the body is not JSON, or is an endless stream.
    pub json: Value,
}

/// A provider that never answers.
struct Silent;

#[async_trait]
impl<P: Participant> Outside<P> for Silent {
    async fn attempt(&self, _: EffectId, _: P::Effect, _: Trace) -> Attempt<P::Outcome> {
        Attempt::NoAnswer("the provider is silent".to_owned())
    }
}

/// Applies an event if the service consumes it.
async fn apply<S: Service<Contract = Event>>(engine: &Engine<S>, event: Event) {
    if !S::CONSUMES.contains(&event.event_type()) {
        return;
    }
    let record = record_at(event.event_type().topic(), 0);
    let (at, trace) = (Timestamp::UNIX_EPOCH, Trace::default());
    let input = Input { cause: Uuid::from_u128(1), at, trace, what: What::Event(event) };
    let work = Work { input, origin: Origin::Event(record) };
    engine
        .apply_batch(&[work], &mut UnconfirmedAnswers::<S>::new())
        .await
        .expect("an applied event");
}

impl Rig {
    /// A service that knows the example order, if it consumes `OrderPlaced`.
    pub async fn open<S: Service<Contract = Event> + Default>(database: Database) -> Self {
        let db = database.migrated(engine::migrations().and(S::migrations())).await;
        let options = EngineOptions {
            settings: Settings::default(),
            versions: Versions::default(),
            max_record_bytes: bus::DEFAULT_MAX_RECORD_BYTES,
            replica: Uuid::from_u128(1),
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let engine = Engine::new(S::default(), db.clone(), Arc::clone(&clock), options);
        let bus = Arc::new(MemoryBus::default());
        let random = Arc::new(SystemRandom);
        let (outside, topics) = (Arc::new(Silent), Vec::new());
        let around = Surroundings { bus: bus.clone(), outside, random: random.clone(), topics };
        let (runtime, commands) = Runtime::new(engine, around);
        let telemetry = Arc::new(Telemetry::of::<S>(Sampling::new(1.0, true)));
        let (stop, stopping) = watch::channel(false);
        let engine = runtime.engine();
        apply(&engine, example(EventType::OrderPlaced)).await;
        let (room, health) = (Arc::default(), db.clone());
        let parts =
            Parts { commands, engine, bus, clock, random, stopping, telemetry, room, health };
        let app = App::from(parts);
        tokio::spawn(runtime.run(stop.subscribe()));
        Self { router: public_router(app), db, _stop: stop, _database: database }
    }

    pub async fn ask(&self, request: Request<Body>) -> Answered {
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.map(|value| value.to_str().unwrap().to_owned());
        let content_type = content_type.unwrap_or_default();
        // A timeline is an endless stream.
        let text = if content_type.starts_with("text/event-stream") {
            axum::body::Bytes::new()
        } else {
            to_bytes(response.into_body(), LONGEST).await.unwrap()
        };
        Answered { status, content_type, json: serde_json::from_slice(&text).unwrap_or_default() }
    }
}
