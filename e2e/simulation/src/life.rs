//! A service while it lives: its engine and all around it, and what it loses when it dies.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use bus::{Bus, Consumer, Incoming, Position};
use clock::Random as _;
use contracts::{PRODUCTS_TOPIC, Versions};
use engine::{
    Alarms, Cause, Chunk, EffectRunner, Engine, EngineOptions, Origin, Outside, Parking, Reason,
    Relay, Remembered, Settings, Unreadable, Work, chunk, group, subscription,
};
use futures::FutureExt;
use service::Service;
use store::Db;

use crate::{broker::Broker, schedule::Setting, stage::Stage};

/// The longest pause between two attempts: short, because deadlines of orders should stay far away.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// When a request without an answer is held for an operator.
const HOLD_AFTER: Duration = Duration::from_mins(1);

/// Where it lives.
pub(crate) struct Place<S: Service> {
    pub(crate) stage: Arc<Stage>,
    pub(crate) broker: Broker,
    pub(crate) outside: Arc<dyn Outside<S>>,
    pub(crate) setting: Setting,
}

/// What is gone when it dies.
pub(crate) struct Life<S: Service> {
    pub(crate) engine: Engine<S>,
    pub(crate) relay: Relay,
    pub(crate) runner: EffectRunner<S>,
    pub(crate) alarms: Alarms,
    pub(crate) consumer: Box<dyn Consumer>,
    /// Commands, outcomes and alarms that wait.
    pub(crate) waiting: Vec<Work<S>>,
    /// A batch that is to be turned until it commits.
    pub(crate) in_hand: Option<Batch<S>>,
}

pub(crate) struct Batch<S: Service> {
    pub(crate) works: Vec<Work<S>>,
    /// Records that it does not understand.
    pub(crate) parking: Parking,
    /// Positions of records that are none of its own.
    pub(crate) passed: Vec<Position>,
    pub(crate) remembered: Remembered<S>,
}

impl<S: Service> Place<S> {
    pub(crate) async fn start(&self, service: S, db: Db) -> Result<Life<S>> {
        let clock: Arc<dyn clock::Clock> = Arc::clone(&self.stage) as _;
        let random: Arc<dyn clock::Random> = Arc::clone(&self.stage) as _;
        let Setting { concurrency, claim, .. } = self.setting;
        let settings = Settings {
            effects_concurrency: concurrency,
            effects_timeout: claim / 3,
            claim,
            backoff_max: LONGEST_PAUSE,
            hold_after: HOLD_AFTER,
            ..Settings::default()
        };
        let options = EngineOptions {
            settings,
            versions: Versions { order_placed: self.setting.order_placed },
            max_record_bytes: self.broker.max_record_bytes(),
            replica: self.stage.dice.uuid(),
        };
        let engine = Engine::new(service, db, clock, options);
        engine.take_stock().await;
        let bus: Arc<dyn Bus> = Arc::new(self.broker.clone());
        Ok(Life {
            relay: engine.relay(Arc::clone(&bus)),
            runner: engine.effect_runner(Arc::clone(&self.outside), random),
            alarms: engine.alarms(),
            consumer: bus.consumer(&group::<S>(), &subscription::<S>()).await?,
            engine,
            waiting: Vec::new(),
            in_hand: None,
        })
    }
}

impl<S: Service> Life<S> {
    /// Takes some of what waits, unless it has a batch in hand; whether it has one now.
    pub(crate) fn take(&mut self, stage: &Stage, setting: &Setting) -> Result<bool> {
        if self.in_hand.is_some() {
            return Ok(true);
        }
        let dice = &stage.dice;
        // Some are still on their way from where they came from.
        let arrives = |_: &mut Work<S>| dice.below(100) >= setting.held_up;
        let mut works: Vec<Work<S>> = self.waiting.extract_if(.., arrives).collect();
        let most = [1, 3, 100][dice.index(3)];
        // Whoever waits for records has none to take now.
        let records = match self.consumer.receive(most).now_or_never() {
            None => Vec::new(),
            // The engine waits these out.
            Some(Err(error)) if error.is_transient() => Vec::new(),
            Some(received) => received?,
        };
        let Chunk { works: events, mut unreadable, passed } = read::<S>(stage, setting, records);
        let events = events.into_iter().map(|pending| pending.work);
        if dice.below(2) == 0 {
            works.splice(..0, events);
        } else {
            for (place, _) in &mut unreadable {
                *place += works.len();
            }
            works.extend(events);
        }
        if works.is_empty() && unreadable.is_empty() {
            store(&mut *self.consumer, passed)?;
            return Ok(false);
        }
        let (parking, remembered) = (Parking::of(unreadable), Remembered::<S>::new());
        self.in_hand = Some(Batch { works, parking, passed, remembered });
        Ok(true)
    }
}

/// Decodes records; some of those that concern it a service of an older version would not understand.
fn read<S: Service>(stage: &Stage, setting: &Setting, records: Vec<Incoming>) -> Chunk<S> {
    let mut read = chunk::<S>(records);
    if setting.poison == 0 {
        return read;
    }
    let mut understood = Vec::new();
    for pending in std::mem::take(&mut read.works) {
        let record = pending.work.origin.record().cloned();
        let record = record.filter(|record| record.topic != PRODUCTS_TOPIC);
        match record.filter(|_| stage.dice.below(100) < setting.poison) {
            Some(record) => {
                let errors = vec!["it is of a version that is not known yet".to_owned()];
                let reason = Reason { cause: Cause::UnknownVersion, errors };
                read.unreadable.push((understood.len(), Unreadable { record, reason }));
            }
            None => understood.push(pending),
        }
    }
    read.works = understood;
    read
}

/// Where each event of a batch ends.
pub(crate) fn positions<S: Service>(works: &[Work<S>]) -> Vec<Position> {
    let origins = works.iter().map(|work| &work.origin);
    let positions = origins.filter_map(|origin| match origin {
        Origin::Event(bus::Incoming { topic, partition, offset, .. }) => {
            Some(Position { topic: topic.clone(), partition: *partition, next: offset + 1 })
        }
        _ => None,
    });
    positions.collect()
}

/// The furthest of a partition last, and that one counts.
pub(crate) fn store(consumer: &mut dyn Consumer, mut positions: Vec<Position>) -> Result<()> {
    positions.sort_by_key(|position| position.next);
    Ok(consumer.store(&positions)?)
}
