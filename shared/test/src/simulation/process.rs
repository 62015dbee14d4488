//! A running process of a service: its engine, relay, effect runner, alarms and consumer. A crash drops all of it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::Result;
use bus::{Bus, Consumer, Incoming, Position};
use clock::Random as _;
use engine::{
    Alarms, Cause, Chunk, EffectRunner, Engine, EngineOptions, Origin, Outside, Poison, Reason,
    Relay, Settings, UnconfirmedAnswers, Unreadable, Work, chunk, group, subscription,
};
use event::Versions;
use futures::FutureExt;
use service::Service;
use store::Db;

use super::{Environment, broker::Broker, schedule::Setting};

/// The longest pause between two attempts of a request. It is much shorter than the deadlines of a saga, so that retries do
/// not run into them.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After how long without an answer a request is held for an operator.
const HOLD_AFTER: Duration = Duration::from_mins(1);

/// The surroundings of each service in a run.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) environment: Arc<Environment>,
    pub(crate) broker: Broker,
    pub(crate) setting: Setting,
    /// The names of event types, each with the version in which it is published.
    pub(crate) versions: Vec<(&'static str, u32)>,
    /// The topics whose records every service understands: those that are compacted.
    pub(crate) understood: Arc<BTreeSet<&'static str>>,
}

/// A running process.
pub(crate) struct Process<S: Service> {
    pub(crate) engine: Engine<S>,
    pub(crate) relay: Relay,
    pub(crate) runner: EffectRunner<S>,
    pub(crate) alarms: Alarms,
    pub(crate) consumer: Box<dyn Consumer>,
    /// Commands, outcomes and alarms that wait.
    pub(crate) waiting: Vec<Work<S>>,
    /// The batch that is to be applied again until it commits.
    pub(crate) in_hand: Option<Batch<S>>,
}

/// The inputs of a batch.
pub(crate) struct Batch<S: Service> {
    pub(crate) works: Vec<Work<S>>,
    /// The records that the service does not understand.
    pub(crate) poison: Poison,
    /// The positions of records that the service does not react to.
    pub(crate) passed: Vec<Position>,
    pub(crate) unconfirmed: UnconfirmedAnswers<S>,
}

impl<S: Service> Process<S> {
    /// Starts a process.
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
    /// Makes a batch of some of the waiting inputs and records, unless there is one already. Returns whether there is one
    /// now.
    pub(crate) fn take(&mut self, host: &Host) -> Result<bool> {
        if self.in_hand.is_some() {
            return Ok(true);
        }
        let dice = host.environment.dice();
        // A part of the waiting inputs has not arrived yet.
        let arrives = |_: &mut Work<S>| dice.below(100) >= host.setting.held_up;
        let mut works: Vec<Work<S>> = self.waiting.extract_if(.., arrives).collect();
        let most = [1, 3, 100][dice.index(3)];
        let records = match self.consumer.receive(most).now_or_never() {
            // The consumer would wait, because the broker has no record for it.
            None => Vec::new(),
            // The engine retries after a transient error.
            Some(Err(error)) if error.is_transient() => Vec::new(),
            Some(received) => received?,
        };
        let Chunk { works: events, mut unreadable, passed } = read::<S>(host, records);
        let events = events.into_iter().map(|pending| pending.work);
        if dice.below(2) == 0 {
            works.splice(..0, events);
        } else {
            // The indices of unreadable records count the events before them, and the other inputs come first now.
            for record in &mut unreadable {
                record.before += works.len();
            }
            works.extend(events);
        }
        if works.is_empty() && unreadable.is_empty() {
            store(&mut *self.consumer, passed)?;
            return Ok(false);
        }
        let (poison, unconfirmed) = (Poison::of(unreadable), UnconfirmedAnswers::<S>::new());
        self.in_hand = Some(Batch { works, poison, passed, unconfirmed });
        Ok(true)
    }
}

/// Decodes records. A drawn part of them is treated as not understood, as if the service were of an older version.
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

/// The position after each event of a batch.
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

/// Stores positions, sorted so that the furthest of each partition comes last and counts.
pub(crate) fn store(consumer: &mut dyn Consumer, mut positions: Vec<Position>) -> Result<()> {
    positions.sort_by_key(|position| position.next);
    Ok(consumer.store(&positions)?)
}
