//! A running process of a service: its engine and what surrounds it. All of it is lost in a crash.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::Result;
use bus::{Bus, Consumer, Incoming, Position};
use clock::Random as _;
use engine::{
    Alarms, Cause, Chunk, EffectRunner, Engine, EngineOptions, Origin, Outside, Poison, Reason,
    Relay, Remembered, Settings, Unreadable, Work, chunk, group, subscription,
};
use event::Versions;
use futures::FutureExt;
use service::Service;
use store::Db;

use super::{Environment, broker::Broker, schedule::Setting};

/// The longest pause between two attempts. It is short, so that alarms of a saga stay far away.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A request without an answer for this long is held for an operator.
const HOLD_AFTER: Duration = Duration::from_mins(1);

/// What a run gives to each of its services.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) environment: Arc<Environment>,
    pub(crate) broker: Broker,
    pub(crate) setting: Setting,
    /// The names of types of events, each with the version in which it is published.
    pub(crate) versions: Vec<(&'static str, u32)>,
    /// Topics whose records every service understands: those that are compacted.
    pub(crate) understood: Arc<BTreeSet<&'static str>>,
}

/// See the module.
pub(crate) struct Process<S: Service> {
    pub(crate) engine: Engine<S>,
    pub(crate) relay: Relay,
    pub(crate) runner: EffectRunner<S>,
    pub(crate) alarms: Alarms,
    pub(crate) consumer: Box<dyn Consumer>,
    /// Commands, outcomes and alarms that wait.
    pub(crate) waiting: Vec<Work<S>>,
    /// A batch that is to be applied until it commits.
    pub(crate) in_hand: Option<Batch<S>>,
}

pub(crate) struct Batch<S: Service> {
    pub(crate) works: Vec<Work<S>>,
    /// Records that it does not understand.
    pub(crate) poison: Poison,
    /// Positions of records that it does not react to.
    pub(crate) passed: Vec<Position>,
    pub(crate) remembered: Remembered<S>,
}

impl<S: Service> Process<S> {
    /// Starts one.
    pub(crate) async fn start(
        host: &Host,
        service: S,
        db: Db,
        outside: Arc<dyn Outside<S>>,
    ) -> Result<Self> {
        let clock: Arc<dyn clock::Clock> = Arc::clone(&host.environment) as _;
        let random: Arc<dyn clock::Random> = Arc::clone(&host.environment) as _;
        let Setting { concurrency, claim, .. } = host.setting;
        let settings = Settings {
            effects_concurrency: concurrency,
            effects_timeout: claim / 3,
            claim,
            backoff_max: LONGEST_PAUSE,
            hold_after: HOLD_AFTER,
            ..Settings::default()
        };
        let known =
            host.versions.iter().filter_map(|(name, version)| Some((name.parse().ok()?, *version)));
        let versions =
            known.fold(Versions::default(), |all, (known, version)| all.with(known, version));
        let options = EngineOptions {
            settings,
            versions,
            max_record_bytes: host.broker.max_record_bytes(),
            replica: host.environment.dice().uuid(),
        };
        let engine = Engine::new(service, db, clock, options);
        engine.take_stock().await;
        let bus: Arc<dyn Bus> = Arc::new(host.broker.clone());
        Ok(Self {
            relay: engine.relay(Arc::clone(&bus)),
            runner: engine.effect_runner(outside, random),
            alarms: engine.alarms(),
            consumer: bus.consumer(&group::<S>(), &subscription::<S>()).await?,
            engine,
            waiting: Vec::new(),
            in_hand: None,
        })
    }
}

impl<S: Service> Process<S> {
    /// Takes some of what waits, unless a batch is in hand; whether there is one now.
    pub(crate) fn take(&mut self, host: &Host) -> Result<bool> {
        if self.in_hand.is_some() {
            return Ok(true);
        }
        let dice = host.environment.dice();
        // Some are still on their way.
        let arrives = |_: &mut Work<S>| dice.below(100) >= host.setting.held_up;
        let mut works: Vec<Work<S>> = self.waiting.extract_if(.., arrives).collect();
        let most = [1, 3, 100][dice.index(3)];
        // A consumer that would wait has no records now.
        let records = match self.consumer.receive(most).now_or_never() {
            None => Vec::new(),
            // The engine retries after these errors.
            Some(Err(error)) if error.is_transient() => Vec::new(),
            Some(received) => received?,
        };
        let Chunk { works: events, mut unreadable, passed } = read::<S>(host, records);
        let events = events.into_iter().map(|pending| pending.work);
        if dice.below(2) == 0 {
            works.splice(..0, events);
        } else {
            for record in &mut unreadable {
                record.before += works.len();
            }
            works.extend(events);
        }
        if works.is_empty() && unreadable.is_empty() {
            store(&mut *self.consumer, passed)?;
            return Ok(false);
        }
        let (poison, remembered) = (Poison::of(unreadable), Remembered::<S>::new());
        self.in_hand = Some(Batch { works, poison, passed, remembered });
        Ok(true)
    }
}

/// Decodes records. The service does not understand some of them, as if it were of an older version.
fn read<S: Service>(host: &Host, records: Vec<Incoming>) -> Chunk<S> {
    let mut read = chunk::<S>(records);
    if host.setting.poison == 0 {
        return read;
    }
    let mut understood = Vec::new();
    for pending in std::mem::take(&mut read.works) {
        let record = pending.work.origin.record().cloned();
        let record = record.filter(|record| !host.understood.contains(&*record.topic));
        match record.filter(|_| host.environment.dice().below(100) < host.setting.poison) {
            Some(record) => {
                let errors = vec!["it is of a version that is not known yet".to_owned()];
                let reason = Reason { cause: Cause::UnknownVersion, errors };
                read.unreadable.push(Unreadable { before: understood.len(), record, reason });
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

/// Stores positions. Of one partition the furthest counts.
pub(crate) fn store(consumer: &mut dyn Consumer, mut positions: Vec<Position>) -> Result<()> {
    positions.sort_by_key(|position| position.next);
    Ok(consumer.store(&positions)?)
}
