//! A service while it lives: its engine and all around it, and what it loses when it dies.

use std::sync::Arc;

use anyhow::{Result, bail};
use bus::{Bus, Consumer, Position};
use clock::Random as _;
use contracts::Versions;
use engine::{
    Alarms, EffectRunner, Engine, EngineOptions, Origin, Outside, Relay, Remembered, Settings,
    Work, chunk, group, subscription,
};
use futures::FutureExt;
use service::Service;
use store::Db;

use crate::{broker::Broker, schedule::Setting, stage::Stage};

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
    pub(crate) fn take(&mut self, stage: &Stage, held_up: u64) -> Result<bool> {
        if self.in_hand.is_some() {
            return Ok(true);
        }
        let dice = &stage.dice;
        // Some are still on their way from where they came from.
        let arrives = |_: &mut Work<S>| dice.below(100) >= held_up;
        let mut works: Vec<Work<S>> = self.waiting.extract_if(.., arrives).collect();
        let most = [1, 3, 100][dice.index(3)];
        // Whoever waits for records has none to take now.
        let records = self.consumer.receive(most).now_or_never().unwrap_or(Ok(Vec::new()))?;
        let taken = chunk::<S>(records);
        if let Some(fatal) = taken.fatal {
            bail!("{}: {fatal}", S::NAME);
        }
        let events = taken.works.into_iter().map(|pending| pending.work);
        if dice.below(2) == 0 {
            works.splice(..0, events);
        } else {
            works.extend(events);
        }
        let passed = taken.passed;
        if works.is_empty() {
            store(&mut *self.consumer, passed)?;
            return Ok(false);
        }
        self.in_hand = Some(Batch { works, passed, remembered: Remembered::<S>::new() });
        Ok(true)
    }
}

/// Where each event of a batch ends.
pub(crate) fn positions<S: Service>(works: &[Work<S>]) -> Vec<Position> {
    let origins = works.iter().map(|work| &work.origin);
    let positions = origins.filter_map(|origin| match origin {
        Origin::Event(position) => Some(position.clone()),
        _ => None,
    });
    positions.collect()
}

/// The furthest of a partition last, and that one counts.
pub(crate) fn store(consumer: &mut dyn Consumer, mut positions: Vec<Position>) -> Result<()> {
    positions.sort_by_key(|position| position.next);
    Ok(consumer.store(&positions)?)
}
