//! A service in a simulation: its real engine on a database in memory, driven a step at a time.

use std::{any::Any, collections::VecDeque, sync::Arc};

use anyhow::{Result, bail};
use async_trait::async_trait;
use bus::Bus;
use clock::Random as _;
use engine::{Outside, Sent, Status, Turn, TurnError, Work, group, subscription};
use serde_json::Value;
use service::Service;
use store::{Class, Db};

use super::{
    actor::{Actor, Heard},
    interrupt,
    process::{Batch, Host, Process, positions, store},
    providers::Providers,
    schedule::{Interruption, Spot, Then},
    words,
};

/// Rows of one table, at most.
const ROWS: i64 = 10_000;

/// See the module.
pub(crate) struct ActorOf<S: Service + Clone> {
    service: S,
    db: Db,
    outside: Arc<dyn Outside<S>>,
    host: Host,
    process: Option<Process<S>>,
    answers: VecDeque<Heard<S>>,
}

impl<S: Service + Clone> ActorOf<S> {
    pub(crate) fn new(service: S, db: Db, outside: Arc<dyn Outside<S>>, host: Host) -> Self {
        Self { service, db, outside, host, process: None, answers: VecDeque::new() }
    }

    /// A command reaches it. If it dies before it commits, the command is lost.
    pub(crate) async fn send(&mut self, command: Work<S>) -> Result<()> {
        self.running().await?.waiting.push(command);
        Ok(())
    }

    /// The next answer that has left it.
    pub(crate) fn hear(&mut self) -> Option<Heard<S>> {
        self.answers.pop_front()
    }

    /// Its process, which is started if there is none.
    async fn running(&mut self) -> Result<&mut Process<S>> {
        if self.process.is_none() {
            let (service, db) = (self.service.clone(), self.db.clone());
            let started = Process::start(&self.host, service, db, Arc::clone(&self.outside));
            self.process = Some(started.await?);
        }
        match &mut self.process {
            Some(process) => Ok(process),
            None => bail!("{} was started a moment ago", S::NAME),
        }
    }

    /// Ends a step that goes no further: it was interrupted, or is interrupted now.
    fn interrupted(&mut self, done: Option<String>, then: Then) -> String {
        if then == Then::Crash {
            self.process = None;
        }
        let how = match (then, &done) {
            (Then::Crash, Some(_)) => "and crashes",
            (Then::Crash, None) => "crashes in the middle",
            (Then::GiveUp, _) => "gives up in the middle",
        };
        done.map_or_else(|| how.to_owned(), |done| format!("{done} {how}"))
    }
}

/// Does a piece of work; `None` if it is interrupted in the middle.
async fn up_to<T>(
    db: &Db,
    interruption: Option<Interruption>,
    work: impl Future<Output = T>,
) -> Result<Option<T>> {
    match interruption {
        None | Some(Interruption { spot: Spot::End, .. }) => Ok(Some(work.await)),
        Some(Interruption { spot, .. }) => interrupt::up_to(db, spot, work).await,
    }
}

#[async_trait]
impl<S: Service + Clone> Actor for ActorOf<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    async fn apply_batch(&mut self, interruption: Option<Interruption>) -> Result<Option<String>> {
        let (db, host) = (self.db.clone(), self.host.clone());
        if !self.running().await?.take(&host)? {
            return Ok(None);
        }
        let Some(Process { engine, in_hand: Some(batch), consumer, .. }) = &mut self.process else {
            return Ok(None);
        };
        let takes = words::taken(&host.environment, &batch.works, &batch.poison);
        if engine::inject_bug!(OffsetsFirst) {
            store(&mut **consumer, positions(&batch.works))?;
            host.broker.flush(&group::<S>())?;
        }
        let turn = engine.turn_parking(&batch.works, &batch.poison, &mut batch.remembered);
        let turn = match up_to(&db, interruption, turn).await? {
            Some(Ok(turn)) => turn,
            Some(Err(TurnError::Store(error))) if error.class() != Class::Data => {
                return Ok(Some(format!("takes {takes}: {error}; will try again")));
            }
            // A simulation has no input that a service cannot take.
            Some(Err(poison)) => bail!("{} takes {takes}: {poison}", S::NAME),
            None => {
                let _ = engine.gave_up();
                let then = interruption.map_or(Then::Crash, |interruption| interruption.then);
                let how = self.interrupted(None, then);
                return Ok(Some(format!("takes {takes}: {how}")));
            }
        };
        let crashes = matches!(interruption, Some(Interruption { then: Then::Crash, .. }));
        let came = self.committed(&takes, turn, crashes)?;
        Ok(Some(if crashes { self.interrupted(Some(came), Then::Crash) } else { came }))
    }

    async fn relay(&mut self, interruption: Option<Interruption>) -> Result<Option<String>> {
        let (db, environment) = (self.db.clone(), Arc::clone(&self.host.environment));
        let process = self.running().await?;
        let tidies = environment.dice().below(4) == 0;
        let work = async {
            let sent = process.relay.turn().await;
            if tidies { process.relay.tidy().await.map(|()| sent) } else { Ok(sent) }
        };
        let done = match up_to(&db, interruption, work).await? {
            None => None,
            Some(sent) => match sent? {
                Ok(Sent::Nothing | Sent::StandingBy) => Some(String::new()),
                Ok(Sent::Some(_)) => {
                    Some(format!("publishes {}", environment.take_notes().join(", ")))
                }
                Err(_) => {
                    Some(format!("tries to publish: {}", environment.take_notes().join(", ")))
                }
            },
        };
        Ok(self.ended(done, interruption))
    }

    async fn effects(&mut self, interruption: Option<Interruption>) -> Result<Option<String>> {
        let (db, environment) = (self.db.clone(), Arc::clone(&self.host.environment));
        let process = self.running().await?;
        let done = match up_to(&db, interruption, process.runner.turn()).await? {
            None => None,
            Some(outcomes) => {
                process.waiting.extend(outcomes?);
                let asked = environment.take_notes();
                Some(if asked.is_empty() {
                    String::new()
                } else {
                    format!("asks {}", asked.join(", "))
                })
            }
        };
        Ok(self.ended(done, interruption))
    }

    async fn alarms(&mut self, interruption: Option<Interruption>) -> Result<Option<String>> {
        let (db, environment) = (self.db.clone(), Arc::clone(&self.host.environment));
        let process = self.running().await?;
        let done = match up_to(&db, interruption, process.alarms.turn::<S>()).await? {
            None => None,
            Some(ringing) => {
                let ringing = ringing?;
                let rings = words::batch(&environment, &ringing);
                let done =
                    if ringing.is_empty() { String::new() } else { format!("finds {rings}") };
                process.waiting.extend(ringing);
                Some(done)
            }
        };
        Ok(self.ended(done, interruption))
    }

    async fn replay(&mut self) -> Result<Option<String>> {
        let environment = Arc::clone(&self.host.environment);
        let process = self.running().await?;
        for queue in process.engine.dead_letters(None, ROWS).await?.queues {
            if !queue.replaying {
                process.engine.replay(queue.id).await?;
            }
        }
        let dead_letters = process.engine.replays().turn::<S>().await?;
        let told = words::batch(&environment, &dead_letters);
        process.waiting.extend(dead_letters);
        Ok((!told.is_empty()).then(|| format!("is to try {told} again")))
    }

    async fn retry_held(&mut self) -> Result<Option<String>> {
        let retried = self.running().await?.engine.retry_effects(None).await?;
        let held = words::count(usize::try_from(retried)?, "held request");
        Ok((retried > 0).then(|| format!("is to attempt {held} at once")))
    }

    async fn resolve(&mut self, providers: &dyn Providers) -> Result<Option<String>> {
        let environment = Arc::clone(&self.host.environment);
        let process = self.running().await?;
        let mut told = Vec::new();
        for effect in process.engine.effects(true, None, ROWS).await?.effects {
            if effect.resolution.is_some() {
                continue;
            }
            let name = effect.name.unwrap_or_default();
            let found = providers.look_up(effect.id, &name);
            let of = effect.aggregate.id.map(|id| environment.name(id)).unwrap_or_default();
            told.push(format!("{name} {of} is resolved as {}", found.outcome));
            process.engine.resolve_effect(effect.id, &found).await?;
        }
        Ok((!told.is_empty()).then(|| told.join(", ")))
    }

    fn offsets(&mut self) -> Result<()> {
        match self.host.broker.flush(&group::<S>()) {
            Err(error) if error.is_transient() => Ok(()),
            flushed => Ok(flushed?),
        }
    }

    fn allow(&mut self, allowed: bool) -> Option<String> {
        let told = if allowed { "is granted its rights again" } else { "loses its rights" };
        self.host.broker.allow(allowed).then(|| format!("{told} at the broker"))
    }

    async fn stop(&mut self) -> Result<Option<String>> {
        let Some(process) = self.process.take() else { return Ok(None) };
        match process.consumer.close().await {
            Ok(()) => Ok(Some("stops in order".to_owned())),
            Err(error) if error.is_transient() => {
                Ok(Some(format!("stops, its offsets are lost: {error}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn rewind(&mut self) -> Result<Option<String>> {
        self.process = None;
        self.host.broker.rewind(&group::<S>(), &subscription::<S>()).await?;
        Ok(Some("crashes, and its group is set back to the beginning".to_owned()))
    }

    async fn rows(&mut self) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for table in S::tables() {
            let page = table.page(&self.db, None, ROWS).await?;
            rows.extend(page.into_iter().map(|(_, row)| row));
        }
        Ok(rows)
    }

    async fn status(&mut self) -> Result<Status> {
        let broker = self.host.broker.clone();
        Ok(self.running().await?.engine.status(&broker).await?)
    }

    fn forget_answers(&mut self) {
        self.answers.clear();
    }
}

impl<S: Service + Clone> ActorOf<S> {
    /// What follows a commit: commands are answered, offsets stored. If the service crashes now, the answers have left
    /// it or are lost.
    fn committed(&mut self, takes: &str, turn: Turn<S>, crashes: bool) -> Result<String> {
        let Some(process) = &mut self.process else { bail!("no process has committed") };
        let Some(Batch { works, passed, .. }) = process.in_hand.take() else { bail!("no batch") };
        let (events, again) = (turn.emitted, turn.duplicates);
        let came = format!("takes {takes}: commits {}", words::count(events, "event"));
        let parked =
            (turn.parked > 0).then(|| format!(", parks {}", words::count(turn.parked, "record")));
        let came = came + parked.as_deref().unwrap_or_default();
        let again = (again > 0).then(|| format!(", {}", words::count(again, "duplicate")));
        if !crashes || self.host.environment.dice().below(2) == 0 {
            let answers = turn.answers.into_iter();
            self.answers.extend(
                answers.map(|(nth, answer)| Heard { command: works[nth].input.cause, answer }),
            );
        }
        if !crashes {
            store(&mut *process.consumer, [passed, turn.positions].concat())?;
        }
        Ok(came + again.as_deref().unwrap_or_default())
    }

    /// What came of a step that may have been interrupted; an empty text tells nothing.
    fn ended(
        &mut self,
        done: Option<String>,
        interruption: Option<Interruption>,
    ) -> Option<String> {
        match interruption {
            Some(Interruption { then, .. }) => {
                let done = done.filter(|done| !done.is_empty());
                let how = self.interrupted(done, then);
                let notes = self.host.environment.take_notes().join(", ");
                Some(if notes.is_empty() { how } else { format!("{notes}: {how}") })
            }
            None => done.filter(|done| !done.is_empty()),
        }
    }
}
