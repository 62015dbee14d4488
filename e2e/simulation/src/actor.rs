//! A service: its real engine on a database in memory, turned a step at a time, and what it loses
//! when it dies.

use std::sync::Arc;

use anyhow::{Result, bail};
use async_trait::async_trait;
use audit::{Row, Snapshot};
use bus::Bus;
use clock::Random as _;
use engine::{Answer, Outside, Sent, Turn, TurnError, Work, group, subscription};
use service::Service;
use store::{Class, Db};
use uuid::Uuid;

use crate::{
    broker::Broker,
    life::{Batch, Life, Place, positions, store},
    providers::World,
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
    async fn replay(&mut self) -> Result<Option<String>>;
    /// An operator has held requests attempted at once.
    async fn retry_held(&mut self) -> Result<Option<String>>;
    /// An operator reports what the providers know of the held requests.
    async fn resolve(&mut self, world: &World) -> Result<Option<String>>;
    fn offsets(&mut self) -> Result<()>;
    /// Its rights at the broker are withdrawn, or granted again.
    fn allow(&mut self, allowed: bool) -> Option<String>;
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
    fn interrupted(&mut self, done: Option<String>, then: Then) -> String {
        if then == Then::Crash {
            self.life = None;
        }
        let how = match (then, &done) {
            (Then::Crash, Some(_)) => "and crashes",
            (Then::Crash, None) => "crashes in the middle",
            (Then::GiveUp, _) => "gives up in the middle",
        };
        done.map_or_else(|| how.to_owned(), |done| format!("{done} {how}"))
    }
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
        let setting = self.place.setting;
        if !self.live().await?.take(&stage, &setting)? {
            return Ok(None);
        }
        let Some(Life { engine, in_hand: Some(batch), consumer, .. }) = &mut self.life else {
            return Ok(None);
        };
        let takes = words::taken(&stage, &batch.works, &batch.parking);
        if engine::mistake!(OffsetsFirst) {
            store(&mut **consumer, positions(&batch.works))?;
            self.place.broker.flush(&group::<S>())?;
        }
        let turn = engine.turn_parking(&batch.works, &batch.parking, &mut batch.remembered);
        let turn = match up_to(&db, broken, turn).await? {
            Some(Ok(turn)) => turn,
            Some(Err(TurnError::Store(error))) if error.class() != Class::Data => {
                return Ok(Some(format!("takes {takes}: {error}; will try again")));
            }
            // No input of a simulation may be more than a service can take.
            Some(Err(poison)) => bail!("{} takes {takes}: {poison}", S::NAME),
            None => {
                let _ = engine.gave_up();
                let (_, then) = broken.unwrap_or((Spot::End, Then::Crash));
                let how = self.interrupted(None, then);
                return Ok(Some(format!("takes {takes}: {how}")));
            }
        };
        let crashes = matches!(broken, Some((_, Then::Crash)));
        let came = self.committed(&takes, turn, crashes)?;
        Ok(Some(if crashes { self.interrupted(Some(came), Then::Crash) } else { came }))
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

    async fn replay(&mut self) -> Result<Option<String>> {
        let stage = Arc::clone(&self.place.stage);
        let life = self.live().await?;
        for lane in life.engine.dead_letters(None, ROWS).await?.lanes {
            if !lane.replaying {
                life.engine.replay(lane.id).await?;
            }
        }
        let letters = life.engine.replays().turn::<S>().await?;
        let told = words::batch(&stage, &letters);
        life.waiting.extend(letters);
        Ok((!told.is_empty()).then(|| format!("is to try {told} again")))
    }

    async fn retry_held(&mut self) -> Result<Option<String>> {
        let retried = self.live().await?.engine.retry_effects(None).await?;
        let held = words::count(usize::try_from(retried)?, "held request");
        Ok((retried > 0).then(|| format!("is to attempt {held} at once")))
    }

    async fn resolve(&mut self, world: &World) -> Result<Option<String>> {
        let stage = Arc::clone(&self.place.stage);
        let life = self.live().await?;
        let mut told = Vec::new();
        for effect in life.engine.effects(true, None, ROWS).await?.effects {
            if effect.resolution.is_some() {
                continue;
            }
            let name = effect.name.unwrap_or_default();
            let found = world.look_up(effect.id, &name);
            let of = stage.name(effect.order_id.uuid());
            told.push(format!("{name} {of} is resolved as {}", found.outcome));
            life.engine.resolve_effect(effect.id, &found).await?;
        }
        Ok((!told.is_empty()).then(|| told.join(", ")))
    }

    fn offsets(&mut self) -> Result<()> {
        match self.place.broker.flush(&group::<S>()) {
            Err(error) if error.is_transient() => Ok(()),
            flushed => Ok(flushed?),
        }
    }

    fn allow(&mut self, allowed: bool) -> Option<String> {
        let told = if allowed { "is granted its rights again" } else { "loses its rights" };
        self.place.broker.allow(allowed).then(|| format!("{told} at the broker"))
    }

    async fn stop(&mut self) -> Result<Option<String>> {
        let Some(life) = self.life.take() else { return Ok(None) };
        match life.consumer.close().await {
            Ok(()) => Ok(Some("stops in order".to_owned())),
            Err(error) if error.is_transient() => {
                Ok(Some(format!("stops, its offsets are lost: {error}")))
            }
            Err(error) => Err(error.into()),
        }
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
        let (events, again) = (turn.emitted, turn.duplicates);
        let came = format!("takes {takes}: commits {}", words::count(events, "event"));
        let parked =
            (turn.parked > 0).then(|| format!(", parks {}", words::count(turn.parked, "record")));
        let came = came + parked.as_deref().unwrap_or_default();
        let again = (again > 0).then(|| format!(", {}", words::count(again, "duplicate")));
        if !crashes || self.place.stage.dice.below(2) == 0 {
            let answers = turn.answers.into_iter();
            self.answers.extend(answers.map(|(nth, answer)| (works[nth].input.cause, answer)));
        }
        if !crashes {
            store(&mut *life.consumer, [passed, turn.positions].concat())?;
        }
        Ok(came + again.as_deref().unwrap_or_default())
    }

    /// What came of a step that may have been interrupted; an empty text tells nothing.
    fn ended(&mut self, done: Option<String>, broken: Option<(Spot, Then)>) -> Option<String> {
        match broken {
            Some((_, then)) => {
                let done = done.filter(|done| !done.is_empty());
                let how = self.interrupted(done, then);
                let notes = self.place.stage.take_notes().join(", ");
                Some(if notes.is_empty() { how } else { format!("{notes}: {how}") })
            }
            None => done.filter(|done| !done.is_empty()),
        }
    }
}
