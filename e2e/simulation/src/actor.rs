//! A service: its real engine on a database in memory, turned a step at a time, and what it loses
//! when it dies.

use std::sync::Arc;

use anyhow::{Result, bail};
use async_trait::async_trait;
use audit::{Row, Snapshot};
use bus::{Bus, Consumer, Position};
use clock::Random as _;
use contracts::Versions;
use engine::{
    Alarms, Answer, EffectRunner, Engine, EngineOptions, Origin, Outside, Relay, Remembered, Sent,
    Settings, Turn, TurnError, Work, chunk, group, subscription,
};
use futures::FutureExt;
use service::Service;
use store::Db;
use uuid::Uuid;

use crate::{
    broker::Broker,
    schedule::{Setting, Spot, Then},
    stage::Stage,
    trap, words,
};

/// Rows of one table, at most.
const ROWS: i64 = 10_000;

/// What a step does to a service; answers what came of it, if anything did.
#[async_trait]
pub(crate) trait Acting: Send {
    fn name(&self) -> &'static str;
    async fn turn(&mut self, broken: Option<(Spot, Then)>) -> Result<Option<String>>;
    async fn relay(&mut self, broken: Option<(Spot, Then)>) -> Result<Option<String>>;
    async fn effects(&mut self, broken: Option<(Spot, Then)>) -> Result<Option<String>>;
    async fn alarms(&mut self, broken: Option<(Spot, Then)>) -> Result<Option<String>>;
    async fn offsets(&mut self) -> Result<Option<String>>;
    async fn stop(&mut self) -> Result<Option<String>>;
    async fn rewind(&mut self) -> Result<Option<String>>;
    /// Adds its rows.
    async fn rows(&mut self, snapshot: &mut Snapshot) -> Result<()>;
    /// Where its queues stand.
    async fn status(&mut self) -> Result<audit::Status>;
}

/// See the module.
pub(crate) struct Actor<S: Service + Clone> {
    service: S,
    db: Db,
    place: Place<S>,
    life: Option<Life<S>>,
    /// Answers that have left it, by the command's id.
    pub(crate) answers: Vec<(Uuid, Answer<S>)>,
}

/// Where it lives.
struct Place<S: Service> {
    stage: Arc<Stage>,
    broker: Broker,
    outside: Arc<dyn Outside<S>>,
    setting: Setting,
}

/// What is gone when it dies.
struct Life<S: Service> {
    engine: Engine<S>,
    relay: Relay,
    runner: EffectRunner<S>,
    alarms: Alarms,
    consumer: Box<dyn Consumer>,
    /// Commands, outcomes and alarms that wait.
    waiting: Vec<Work<S>>,
    /// A batch that is to be turned until it commits.
    in_hand: Option<Batch<S>>,
}

struct Batch<S: Service> {
    works: Vec<Work<S>>,
    /// Positions of records that are none of its own.
    passed: Vec<Position>,
    remembered: Remembered<S>,
}

impl<S: Service + Clone> Actor<S> {
    pub(crate) fn new(
        service: S,
        db: Db,
        (stage, broker): (Arc<Stage>, Broker),
        outside: Arc<dyn Outside<S>>,
        setting: Setting,
    ) -> Self {
        let place = Place { stage, broker, outside, setting };
        Self { service, db, place, life: None, answers: Vec::new() }
    }

    /// A command reaches it; it may die with it.
    pub(crate) async fn send(&mut self, command: Work<S>) -> Result<()> {
        self.live().await?.waiting.push(command);
        Ok(())
    }

    /// It is started, if it is dead.
    async fn live(&mut self) -> Result<&mut Life<S>> {
        if self.life.is_none() {
            self.life = Some(self.place.start(self.service.clone(), self.db.clone()).await?);
        }
        match &mut self.life {
            Some(life) => Ok(life),
            None => bail!("it was started a moment ago"),
        }
    }

    /// Ends a step that goes no further: it was interrupted, or shall be now.
    fn interrupted(&mut self, done: Option<String>, then: Then) -> Option<String> {
        if then == Then::Crash {
            self.life = None;
        }
        let how = match (then, &done) {
            (Then::Crash, Some(_)) => "and crashes",
            (Then::Crash, None) => "crashes in the middle",
            (Then::GiveUp, _) => "gives up in the middle",
        };
        Some(done.map_or_else(|| how.to_owned(), |done| format!("{done} {how}")))
    }
}

impl<S: Service> Place<S> {
    async fn start(&self, service: S, db: Db) -> Result<Life<S>> {
        let clock: Arc<dyn clock::Clock> = Arc::clone(&self.stage) as _;
        let random: Arc<dyn clock::Random> = Arc::clone(&self.stage) as _;
        let settings =
            Settings { effects_concurrency: self.setting.concurrency, ..Settings::default() };
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
    fn take(&mut self, stage: &Stage) -> Result<bool> {
        if self.in_hand.is_some() {
            return Ok(true);
        }
        let dice = &stage.dice;
        let some = self.waiting.len().min(1 + dice.index(self.waiting.len() + 1));
        let mut works: Vec<Work<S>> = self.waiting.drain(..some).collect();
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
fn positions<S: Service>(works: &[Work<S>]) -> Vec<Position> {
    let origins = works.iter().map(|work| &work.origin);
    let positions = origins.filter_map(|origin| match origin {
        Origin::Event(position) => Some(position.clone()),
        _ => None,
    });
    positions.collect()
}

/// The furthest of a partition last, and that one counts.
fn store(consumer: &mut dyn Consumer, mut positions: Vec<Position>) -> Result<()> {
    positions.sort_by_key(|position| position.next);
    Ok(consumer.store(&positions)?)
}

/// Does a piece of work, unless it is to be interrupted in the middle: then `None`.
async fn up_to<T>(
    db: &Db,
    broken: Option<(Spot, Then)>,
    work: impl Future<Output = T>,
) -> Result<Option<T>> {
    match broken {
        None | Some((Spot::End, _)) => Ok(Some(work.await)),
        Some((spot, _)) => trap::up_to(db, spot, work).await,
    }
}

#[async_trait]
impl<S: Service + Clone> Acting for Actor<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    async fn turn(&mut self, broken: Option<(Spot, Then)>) -> Result<Option<String>> {
        let (db, stage) = (self.db.clone(), Arc::clone(&self.place.stage));
        if !self.live().await?.take(&stage)? {
            return Ok(None);
        }
        let Some(Life { engine, in_hand: Some(batch), consumer, .. }) = &mut self.life else {
            return Ok(None);
        };
        let takes = words::batch(&stage, &batch.works);
        if engine::mistake!(OffsetsFirst) {
            store(&mut **consumer, positions(&batch.works))?;
            self.place.broker.memory.flush(&group::<S>())?;
        }
        let turn = engine.turn(&batch.works, &mut batch.remembered);
        let turn = match up_to(&db, broken, turn).await? {
            Some(Ok(turn)) => turn,
            Some(Err(TurnError::Store(error))) => {
                return Ok(Some(format!("takes {takes}: {error}; will try again")));
            }
            Some(Err(poison @ TurnError::Poison { .. })) => bail!("{}: {takes}: {poison}", S::NAME),
            None => {
                let _ = engine.gave_up();
                let (_, then) = broken.unwrap_or((Spot::End, Then::Crash));
                return Ok(self.interrupted(None, then).map(|how| format!("takes {takes}: {how}")));
            }
        };
        let crashes = matches!(broken, Some((_, Then::Crash)));
        let came = self.committed(&takes, turn, crashes)?;
        Ok(if crashes { self.interrupted(Some(came), Then::Crash) } else { Some(came) })
    }

    async fn relay(&mut self, broken: Option<(Spot, Then)>) -> Result<Option<String>> {
        let (db, stage) = (self.db.clone(), Arc::clone(&self.place.stage));
        let life = self.live().await?;
        let tidies = stage.dice.below(4) == 0;
        let work = async {
            let sent = life.relay.turn().await;
            if tidies { life.relay.tidy().await.map(|()| sent) } else { Ok(sent) }
        };
        let done = match up_to(&db, broken, work).await? {
            None => None,
            Some(sent) => match sent? {
                Ok(Sent::Nothing | Sent::StandingBy) => Some(String::new()),
                Ok(Sent::Some(_)) => Some(format!("publishes {}", stage.take_notes().join(", "))),
                Err(_) => Some(format!("tries to publish: {}", stage.take_notes().join(", "))),
            },
        };
        Ok(self.ended(done, broken))
    }

    async fn effects(&mut self, broken: Option<(Spot, Then)>) -> Result<Option<String>> {
        let (db, stage) = (self.db.clone(), Arc::clone(&self.place.stage));
        let life = self.live().await?;
        let done = match up_to(&db, broken, life.runner.turn()).await? {
            None => None,
            Some(outcomes) => {
                life.waiting.extend(outcomes?);
                let asked = stage.take_notes();
                Some(if asked.is_empty() {
                    String::new()
                } else {
                    format!("asks {}", asked.join(", "))
                })
            }
        };
        Ok(self.ended(done, broken))
    }

    async fn alarms(&mut self, broken: Option<(Spot, Then)>) -> Result<Option<String>> {
        let (db, stage) = (self.db.clone(), Arc::clone(&self.place.stage));
        let life = self.live().await?;
        let done = match up_to(&db, broken, life.alarms.turn::<S>()).await? {
            None => None,
            Some(ringing) => {
                let ringing = ringing?;
                let rings = words::batch(&stage, &ringing);
                let done =
                    if ringing.is_empty() { String::new() } else { format!("finds {rings}") };
                life.waiting.extend(ringing);
                Some(done)
            }
        };
        Ok(self.ended(done, broken))
    }

    async fn offsets(&mut self) -> Result<Option<String>> {
        let reached = self.place.broker.memory.flush(&group::<S>())?;
        Ok((reached > 0).then(|| "has its offsets at the broker".to_owned()))
    }

    async fn stop(&mut self) -> Result<Option<String>> {
        let Some(life) = self.life.take() else { return Ok(None) };
        life.consumer.close().await?;
        Ok(Some("stops in order".to_owned()))
    }

    async fn rewind(&mut self) -> Result<Option<String>> {
        self.life = None;
        self.place.broker.rewind(&group::<S>(), &subscription::<S>()).await?;
        Ok(Some("crashes, and its group is set back to the beginning".to_owned()))
    }

    async fn rows(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        for table in S::tables() {
            for (_, row) in table.page(&self.db, None, ROWS).await? {
                snapshot.add(serde_json::from_value::<Row>(row)?);
            }
        }
        Ok(())
    }

    async fn status(&mut self) -> Result<audit::Status> {
        let broker = self.place.broker.clone();
        let status = self.live().await?.engine.status(&broker).await?;
        Ok(serde_json::from_value(serde_json::to_value(status)?)?)
    }
}

impl<S: Service + Clone> Actor<S> {
    /// What follows a commit: commands are answered, offsets stored. Of one that crashes now, the
    /// answers leave first, or die with it.
    fn committed(&mut self, takes: &str, turn: Turn<S>, crashes: bool) -> Result<String> {
        let Some(life) = &mut self.life else { bail!("nobody has committed") };
        let Some(Batch { works, passed, .. }) = life.in_hand.take() else { bail!("no batch") };
        let mut came = format!("takes {takes}: commits {}", words::count(turn.emitted, "event"));
        if turn.duplicates > 0 {
            came += &format!(", {}", words::count(turn.duplicates, "duplicate"));
        }
        if !crashes || self.place.stage.dice.below(2) == 0 {
            let answers = turn.answers.into_iter();
            self.answers.extend(answers.map(|(nth, answer)| (works[nth].input.cause, answer)));
        }
        if !crashes {
            store(&mut *life.consumer, [passed, turn.positions].concat())?;
        }
        Ok(came)
    }

    /// What came of a step that may have been interrupted; an empty text tells nothing.
    fn ended(&mut self, done: Option<String>, broken: Option<(Spot, Then)>) -> Option<String> {
        match broken {
            Some((_, then)) => {
                let done = done.filter(|done| !done.is_empty());
                let how = self.interrupted(done, then);
                let notes = self.place.stage.take_notes();
                how.map(
                    |how| {
                        if notes.is_empty() { how } else { format!("{}: {how}", notes.join(", ")) }
                    },
                )
            }
            None => done.filter(|done| !done.is_empty()),
        }
    }
}
