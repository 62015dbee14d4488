//! An actor: the real engine of a service on a database in memory, driven one step at a time.

use std::{any::Any, collections::VecDeque, sync::Arc};

use anyhow::{Result, bail};
use async_trait::async_trait;
use bus::Bus;
use clock::Random as _;
use engine::{Applied, BatchError, Outside, Sent, Status, Work, group, subscription};
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

/// The most rows of one table that are read.
const ROWS: i64 = 10_000;

/// The actor of a service.
pub(crate) struct ActorOf<S: Service + Clone> {
    service: S,
    db: Db,
    outside: Arc<dyn Outside<S>>,
    host: Host,
    /// The running process; `None` after a crash or a stop, until the next step needs one.
    process: Option<Process<S>>,
    /// Answers that have left the service and that no client has received yet.
    answers: VecDeque<Heard<S>>,
}

impl<S: Service + Clone> ActorOf<S> {
    pub(crate) fn new(service: S, db: Db, outside: Arc<dyn Outside<S>>, host: Host) -> Self {
        Self { service, db, outside, host, process: None, answers: VecDeque::new() }
    }

    /// Delivers a command. If the process crashes before it commits, the command is lost.
    pub(crate) async fn send(&mut self, command: Work<S>) -> Result<()> {
        self.running().await?.waiting.push(command);
        Ok(())
    }

    /// The next answer that has left the service.
    pub(crate) fn hear(&mut self) -> Option<Heard<S>> {
        self.answers.pop_front()
    }

    /// The running process. It is started if there is none.
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

    /// Ends a step that was interrupted in the middle (`done` is `None`) or is interrupted after its end. Returns the text
    /// for the story.
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

/// Runs the work of a step. Returns `None` if it is interrupted in the middle.
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
        let takes = words::batch_with_unreadable(&host.environment, &batch.works, &batch.poison);
        if engine::inject_bug!(OffsetsFirst) {
            store(&mut **consumer, positions(&batch.works))?;
            host.broker.flush(&group::<S>())?;
        }
        let applied =
            engine.apply_batch_without(&batch.works, &batch.poison, &mut batch.unconfirmed);
        let applied = match up_to(&db, interruption, applied).await? {
            Some(Ok(applied)) => applied,
            Some(Err(BatchError::Store(error))) if error.class() != Class::Data => {
                return Ok(Some(format!("takes {takes}: {error}; will try again")));
            }
            // No input of a simulation is poisonous, so this is a bug in a reaction.
            Some(Err(poison)) => bail!("{} takes {takes}: {poison}", S::NAME),
            None => {
                let _ = engine.abandon_attempt();
                let then = interruption.map_or(Then::Crash, |interruption| interruption.then);
                let how = self.interrupted(None, then);
                return Ok(Some(format!("takes {takes}: {how}")));
            }
        };
        let crashes = matches!(interruption, Some(Interruption { then: Then::Crash, .. }));
        let text = self.committed(&takes, applied, crashes)?;
        Ok(Some(if crashes { self.interrupted(Some(text), Then::Crash) } else { text }))
    }

    async fn relay(&mut self, interruption: Option<Interruption>) -> Result<Option<String>> {
        let (db, environment) = (self.db.clone(), Arc::clone(&self.host.environment));
        let process = self.running().await?;
        let tidies = environment.dice().below(4) == 0;
        let work = async {
            let sent = process.relay.step().await;
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
        let done = match up_to(&db, interruption, process.runner.step()).await? {
            None => None,
            Some(outcomes) => {
                process.waiting.extend(outcomes?);
                let requests = environment.take_notes();
                Some(if requests.is_empty() {
                    String::new()
                } else {
                    format!("asks {}", requests.join(", "))
                })
            }
        };
        Ok(self.ended(done, interruption))
    }

    async fn alarms(&mut self, interruption: Option<Interruption>) -> Result<Option<String>> {
        let (db, environment) = (self.db.clone(), Arc::clone(&self.host.environment));
        let process = self.running().await?;
        let done = match up_to(&db, interruption, process.alarms.step::<S>()).await? {
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
        let dead_letters = process.engine.replays().step::<S>().await?;
        let records = words::batch(&environment, &dead_letters);
        process.waiting.extend(dead_letters);
        Ok((!records.is_empty()).then(|| format!("is to try {records} again")))
    }

    async fn retry_held(&mut self) -> Result<Option<String>> {
        let retried = self.running().await?.engine.retry_effects(None).await?;
        let held = words::count(usize::try_from(retried)?, "held request");
        Ok((retried > 0).then(|| format!("is to attempt {held} at once")))
    }

    async fn resolve(&mut self, providers: &dyn Providers) -> Result<Option<String>> {
        let environment = Arc::clone(&self.host.environment);
        let process = self.running().await?;
        let mut resolved = Vec::new();
        for effect in process.engine.effects(true, None, ROWS).await?.effects {
            if effect.resolution.is_some() {
                continue;
            }
            let name = effect.name.unwrap_or_default();
            let found = providers.look_up(effect.id, &name);
            let of = effect.aggregate.id.map(|id| environment.name(id)).unwrap_or_default();
            resolved.push(format!("{name} {of} is resolved as {}", found.outcome));
            process.engine.resolve_effect(effect.id, &found).await?;
        }
        Ok((!resolved.is_empty()).then(|| resolved.join(", ")))
    }

    fn offsets(&mut self) -> Result<()> {
        match self.host.broker.flush(&group::<S>()) {
            Err(error) if error.is_transient() => Ok(()),
            flushed => Ok(flushed?),
        }
    }

    fn allow(&mut self, allowed: bool) -> Option<String> {
        let text = if allowed { "is granted its rights again" } else { "loses its rights" };
        self.host.broker.allow(allowed).then(|| format!("{text} at the broker"))
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
    /// Answers commands and stores offsets after a commit. Returns the text for the story. If the process crashes now, no
    /// offsets are stored, and the answers have either left it or are lost.
    fn committed(&mut self, takes: &str, applied: Applied<S>, crashes: bool) -> Result<String> {
        let Some(process) = &mut self.process else { bail!("no process has committed") };
        let Some(Batch { works, passed, .. }) = process.in_hand.take() else { bail!("no batch") };
        let mut text = format!("takes {takes}: commits {}", words::count(applied.emitted, "event"));
        for (verb, count, noun) in
            [(", parks ", applied.parked, "record"), (", ", applied.duplicates, "duplicate")]
        {
            if count > 0 {
                text = text + verb + &words::count(count, noun);
            }
        }
        if !crashes || self.host.environment.dice().below(2) == 0 {
            let answers = applied.answers.into_iter();
            self.answers.extend(
                answers.map(|(nth, answer)| Heard { command: works[nth].input.cause, answer }),
            );
        }
        if !crashes {
            store(&mut *process.consumer, [passed, applied.positions].concat())?;
        }
        Ok(text)
    }

    /// The text for a step that may have been interrupted. `done` is empty if nothing happened, and `None` if the step was
    /// interrupted in the middle.
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
