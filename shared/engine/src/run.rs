//! Production's loops: they only call the steps, for ever, until told to stop.

use std::{sync::Arc, time::Duration};

use bus::{Bus, Position, Topic};
use clock::{Random, uuid_v7};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

use crate::{
    Alarms, Commands, EffectRunner, Engine, Fatal, Outside, Participant, Pending, Relay,
    RelayError, Sent, Work,
    intake::{CHUNKS, Chunk, Intake},
    settle::{Settled, Settler},
};

/// Outcomes and alarms that wait for the engine.
const INTERNAL_QUEUE: usize = 2_000;
/// The pause of a loop after its step failed.
const RETRY: Duration = Duration::from_millis(500);

/// An engine with everything around it, ready to run.
pub struct Runtime<P: Participant> {
    engine: Arc<Engine<P>>,
    bus: Arc<dyn Bus>,
    outside: Arc<dyn Outside<P>>,
    random: Arc<dyn Random>,
    topics: Vec<Topic>,
    commands: mpsc::Receiver<Pending<P>>,
}

/// The sides of a [`Runtime`] that reach outside the process.
pub struct Surroundings<P: Participant> {
    /// The broker.
    pub bus: Arc<dyn Bus>,
    /// The providers.
    pub outside: Arc<dyn Outside<P>>,
    /// Randomness, for jitter and command ids.
    pub random: Arc<dyn Random>,
    /// The topics that must exist.
    pub topics: Vec<Topic>,
}

impl<P: Participant> Runtime<P> {
    /// Puts the parts together; nothing runs yet. Commands sent before [`Runtime::run`] wait.
    pub fn new(engine: Engine<P>, around: Surroundings<P>) -> (Self, Commands<P>) {
        let (sender, commands) = mpsc::channel(engine.settings.commands_queue);
        let outbox = (Arc::clone(&engine.handoff), engine.settings.outbox_limit);
        let clock = Arc::clone(&engine.clock);
        let handle = Commands::new(sender, outbox, clock, Arc::clone(&around.random));
        let Surroundings { bus, outside, random, topics } = around;
        (Self { engine: Arc::new(engine), bus, outside, random, topics, commands }, handle)
    }

    /// The engine, for its status.
    #[must_use]
    pub fn engine(&self) -> Arc<Engine<P>> {
        Arc::clone(&self.engine)
    }

    /// Runs until `stop` turns true, then drains: finishes what is in hand, sends the outbox,
    /// leaves the group.
    ///
    /// # Errors
    /// [`Fatal`] if something came that may be neither applied nor skipped.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<(), Fatal> {
        let Self { engine, bus, outside, random, topics, commands } = self;
        engine.take_stock().await;
        // Whichever part ends first, ends all.
        let (stopping, stop_parts) = watch::channel(false);
        let (chunks, chunks_in) = mpsc::channel(CHUNKS);
        let (done, done_in) = mpsc::unbounded_channel();
        let (internal, internal_in) = mpsc::channel(INTERNAL_QUEUE);
        let batch = engine.settings.batch;
        let stop_intake = stop_parts.clone();
        let intake = Intake {
            bus: Arc::clone(&bus),
            topics,
            chunk: (batch / 2).max(1),
            chunks,
            done: done_in,
            stop: stop_intake,
        };
        let runner = engine.effect_runner(outside, Arc::clone(&random));
        let mut sources = JoinSet::new();
        sources.spawn(run_effects(runner, engine.clone(), internal.clone(), stop_parts.clone()));
        sources.spawn(run_alarms(engine.alarms(), engine.clone(), internal, stop_parts.clone()));
        let relay = engine.relay(bus, uuid_v7(&*engine.clock, &*random));
        let sent = Arc::new(Notify::new());
        let mut relay = tokio::spawn(run_relay(relay, engine.clone(), Arc::clone(&sent)));
        let mut intake = tokio::spawn(intake.run());
        let settler = Settler { engine: engine.clone(), random, stop: stop_parts };
        let inputs = Inputs { chunks: chunks_in, commands, internal: internal_in, batch };
        let mut applying = tokio::spawn(run_engine(settler, inputs, done));

        let mut stop = stop;
        let (mut applied, mut received) = (None, None);
        tokio::select! {
            () = stopped(&mut stop) => {}
            ended = &mut applying => applied = Some(whole(ended)),
            ended = &mut intake => received = Some(whole(ended)),
            // These end only after the engine or when told to, else by a panic, which must not go
            // unnoticed.
            Some(ended) = sources.join_next() => whole(ended),
            ended = &mut relay => whole(ended),
        }
        stopping.send_replace(true);
        let applied = match applied {
            Some(result) => result,
            None => whole(applying.await),
        };
        while let Some(ended) = sources.join_next().await {
            whole(ended);
        }
        sent.notify_one();
        if !relay.is_finished() && !ends_within(engine.settings.drain, &mut relay).await {
            tracing::warn!("the outbox could not be sent; it will be after the next start");
        }
        if received.is_none() && !ends_within(engine.settings.drain, &mut intake).await {
            tracing::warn!("could not leave the group; its events come again");
        }
        applied.and(received.unwrap_or(Ok(())))
    }
}

/// Whether a task ends in time; otherwise it is given up.
async fn ends_within<T>(limit: Duration, task: &mut JoinHandle<T>) -> bool {
    let ended = timeout(limit, &mut *task).await.is_ok();
    if !ended {
        task.abort();
    }
    ended
}

/// Returns once the mark is set, or nobody is left to set it.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A task that panicked takes the service with it.
fn whole<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

struct Inputs<P: Participant> {
    chunks: mpsc::Receiver<Chunk<P>>,
    commands: mpsc::Receiver<Pending<P>>,
    internal: mpsc::Receiver<Pending<P>>,
    batch: usize,
}

/// What waited when the engine was free.
struct Taken<P: Participant> {
    works: Vec<Pending<P>>,
    /// Whether a chunk is among it.
    chunk: bool,
    passed: Vec<Position>,
    fatal: Option<Fatal>,
}

impl<P: Participant> Inputs<P> {
    /// Waits for something, then takes what is there up to the batch's size, without waiting to
    /// fill. `None` when every source has dried up.
    async fn next(&mut self) -> Option<Taken<P>> {
        let mut taken = Taken { works: Vec::new(), chunk: false, passed: Vec::new(), fatal: None };
        tokio::select! {
            biased;
            Some(work) = self.internal.recv() => taken.works.push(work),
            Some(chunk) = self.chunks.recv() => taken.chunk(chunk),
            Some(command) = self.commands.recv() => taken.works.push(command),
            else => return None,
        }
        // No source may starve another: a chunk is half a batch at most, and of the other half
        // outcomes and commands have a share each before anybody fills up what is left.
        let share = self.batch / 4;
        take(&mut taken.works, &mut self.internal, share);
        take(&mut taken.works, &mut self.commands, share);
        while taken.works.len() <= self.batch / 2
            && taken.fatal.is_none()
            && let Ok(chunk) = self.chunks.try_recv()
        {
            taken.chunk(chunk);
        }
        let left = self.batch.saturating_sub(taken.works.len());
        take(&mut taken.works, &mut self.internal, left);
        let left = self.batch.saturating_sub(taken.works.len());
        take(&mut taken.works, &mut self.commands, left);
        Some(taken)
    }
}

/// Takes what is there, at most `limit`.
fn take<T>(works: &mut Vec<T>, from: &mut mpsc::Receiver<T>, limit: usize) {
    works.extend(std::iter::from_fn(|| from.try_recv().ok()).take(limit));
}

impl<P: Participant> Taken<P> {
    fn chunk(&mut self, chunk: Chunk<P>) {
        self.works.extend(chunk.works);
        self.passed.extend(chunk.passed);
        self.fatal = chunk.fatal;
        self.chunk = true;
    }
}

async fn run_engine<P: Participant>(
    mut settler: Settler<P>,
    mut inputs: Inputs<P>,
    done: mpsc::UnboundedSender<Vec<Position>>,
) -> Result<(), Fatal> {
    let mut stop = settler.stop.clone();
    let mut stopping = false;
    loop {
        let taken = tokio::select! {
            biased;
            () = stopped(&mut stop), if !stopping => {
                // No new commands; those that wait are still carried out.
                stopping = true;
                inputs.commands.close();
                continue;
            }
            taken = inputs.next() => taken,
        };
        let Some(taken) = taken else { return Ok(()) };
        let mut positions = taken.passed;
        if !taken.works.is_empty() {
            match settler.settle(taken.works).await? {
                Settled::Applied(applied) => positions.extend(applied),
                Settled::GivenUp => return Ok(()),
            }
        }
        // Only fails once the consumer is gone; then they come again, as duplicates. Commands alone
        // tell it nothing, and must not disturb a read under way.
        if taken.chunk {
            let _ = done.send(furthest(positions));
        }
        if let Some(fatal) = taken.fatal {
            return Err(fatal);
        }
    }
}

/// One position for each partition: a record of ours and one passed over may both be its last.
fn furthest(mut positions: Vec<Position>) -> Vec<Position> {
    positions.sort_by(|a, b| (&a.topic, a.partition, b.next).cmp(&(&b.topic, b.partition, a.next)));
    positions.dedup_by(|a, b| (&a.topic, a.partition) == (&b.topic, b.partition));
    positions
}

async fn run_effects<P: Participant>(
    mut runner: EffectRunner<P>,
    engine: Arc<Engine<P>>,
    works: mpsc::Sender<Pending<P>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut stopping = false;
    while !stopping || runner.running() > 0 {
        if !stopping && let Err(error) = runner.start().await {
            tracing::warn!(%error, "cannot read the effects that are due; trying again");
            sleep(RETRY).await;
        }
        let pause = runner.pause();
        tokio::select! {
            () = runner.join(), if runner.running() > 0 => {}
            () = engine.effects.wake.notified(), if !stopping => {}
            () = sleep(pause), if !stopping => {}
            () = stopped(&mut stop), if !stopping => stopping = true,
        }
        if hand_over(&works, runner.answered()).await.is_err() {
            return;
        }
        if let Err(error) = runner.write_down().await {
            tracing::warn!(%error, "cannot write down failed attempts; trying again");
            sleep(RETRY).await;
        }
    }
}

async fn run_alarms<P: Participant>(
    alarms: Alarms,
    engine: Arc<Engine<P>>,
    works: mpsc::Sender<Pending<P>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        match alarms.turn().await {
            Ok(ringing) => {
                let more = ringing.len() >= Alarms::LIMIT;
                if hand_over(&works, ringing).await.is_err() {
                    return;
                }
                if more {
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "cannot read the alarms; trying again"),
        }
        tokio::select! {
            () = sleep(engine.settings.poll) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

/// Fails only when the engine is gone; then the rows bring the same work again.
async fn hand_over<P: Participant>(
    to: &mpsc::Sender<Pending<P>>,
    works: Vec<Work<P>>,
) -> Result<(), ()> {
    for work in works {
        to.send(work.into()).await.map_err(drop)?;
    }
    Ok(())
}

/// Sends until `last` is notified, then what is left.
async fn run_relay<P: Participant>(mut relay: Relay, engine: Arc<Engine<P>>, last: Arc<Notify>) {
    let (mut failing, poll) = (false, engine.settings.relay_poll);
    let mut tidy_at = Instant::now() + poll;
    loop {
        // By the time and not when there is nothing to send: under load there always is.
        if tidy_at <= Instant::now() {
            if let Err(error) = relay.tidy().await {
                tracing::debug!(%error, "cannot tidy the outbox now");
            }
            tidy_at = Instant::now() + poll;
        }
        let pause = match relay.turn().await {
            Ok(Sent::Some(_)) => {
                failing = false;
                continue;
            }
            Ok(Sent::Nothing | Sent::StandingBy) => poll,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "cannot send the outbox; trying until it goes");
                }
                RETRY
            }
        };
        tokio::select! {
            () = engine.handoff.wake.notified(), if !failing => {}
            () = sleep(pause) => {}
            () = last.notified() => break,
        }
    }
    let rest = async {
        while let Sent::Some(_) = relay.turn().await? {}
        Ok::<(), RelayError>(relay.tidy().await?)
    };
    if let Err(error) = rest.await {
        tracing::warn!(%error, "the outbox could not be sent; it will be after the next start");
    }
}
