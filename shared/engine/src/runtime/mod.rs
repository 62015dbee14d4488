//! Runs a service's engine and its loops, from the start to the end of the drain.

use std::{sync::Arc, time::Duration};

use bus::{Bus, LogThrottle, Topic};
use clock::Random;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{JoinError, JoinHandle, JoinSet},
    time::timeout,
};

use crate::{
    Commands, Engine, Fatal, Outside, Participant, Pending,
    batch::retry::RetryLoop,
    input::{
        consumer::{CHUNKS, EventConsumer},
        fairness::Inputs,
    },
    shutdown::stopped,
};

mod loops;
mod parts;

use loops::{
    run_alarms, run_effects, run_engine, run_key_pruner, run_pruner, run_relay, run_replays,
};

/// Outcomes and alarms that wait for the engine.
const INTERNAL_QUEUE: usize = 2_000;

/// An engine with its broker, its providers and its queue of commands, ready to run.
pub struct Runtime<P: Participant> {
    engine: Arc<Engine<P>>,
    bus: Arc<dyn Bus>,
    outside: Arc<dyn Outside<P>>,
    random: Arc<dyn Random>,
    topics: Vec<Topic>,
    commands: mpsc::Receiver<Pending<P>>,
}

/// The parts of a [`Runtime`] that come from outside the engine.
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
        let handle = Commands::new(&engine, sender, Arc::clone(&around.random));
        let Surroundings { bus, outside, random, topics } = around;
        (Self { engine: Arc::new(engine), bus, outside, random, topics, commands }, handle)
    }

    /// The engine, for its status.
    #[must_use]
    pub fn engine(&self) -> Arc<Engine<P>> {
        Arc::clone(&self.engine)
    }

    /// Runs until `stop` becomes true. Then drains: finishes the inputs that it has accepted, sends the outbox, and
    /// leaves the consumer group.
    ///
    /// # Errors
    /// [`Fatal`] if the broker no longer has the next events, or refuses a request that it will never take.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), Fatal> {
        let drain = self.engine.settings.drain;
        self.engine.take_stock().await;
        let mut parts = self.start();
        let (mut applied, mut received) = (false, None);
        tokio::select! {
            () = stopped(&mut stop) => {}
            ended = &mut parts.engine => {
                result_of(ended);
                applied = true;
            }
            ended = &mut parts.consumer => received = Some(result_of(ended)),
            // These loops end after the engine, or when `stop` is set. If one ends before, it panicked, and the panic
            // is passed on.
            Some(ended) = parts.sources.join_next() => result_of(ended),
            ended = &mut parts.relay => result_of(ended),
        }
        parts.stop.send_replace(true);
        if !applied {
            result_of(parts.engine.await);
        }
        while let Some(ended) = parts.sources.join_next().await {
            result_of(ended);
        }
        parts.last.notify_one();
        if !parts.relay.is_finished() && !ends_within(drain, &mut parts.relay).await {
            tracing::warn!("the outbox could not be sent; it will be after the next start");
        }
        if received.is_none() && !ends_within(drain, &mut parts.consumer).await {
            tracing::warn!("could not leave the group; its events come again");
        }
        received.unwrap_or(Ok(()))
    }

    fn start(self) -> Parts {
        let Self { engine, bus, outside, random, topics, commands } = self;
        let (stop, stopping) = watch::channel(false);
        let (chunks, chunks_in) = mpsc::channel(CHUNKS);
        let (done, done_in) = mpsc::unbounded_channel();
        let (internal, internal_in) = mpsc::channel(INTERNAL_QUEUE);
        let batch = engine.settings.batch;
        let consumer = EventConsumer {
            bus: Arc::clone(&bus),
            db: engine.db.clone(),
            topics,
            chunk: (batch / 2).max(1),
            chunks,
            done: done_in,
            stop: stopping.clone(),
            replica: engine.outbox.replica,
            said: LogThrottle::default(),
        };
        let runner = engine.effect_runner(outside, Arc::clone(&random));
        let (alarms, replays) = (engine.alarms(), engine.replays());
        let pruner = engine.settings.inbox_prune.then(|| engine.pruner(Arc::clone(&bus)));
        let relay = engine.relay(bus);
        let last = Arc::new(Notify::new());
        let retry_loop = RetryLoop {
            engine: Arc::clone(&engine),
            random,
            stop: stopping.clone(),
            said: LogThrottle::default(),
        };
        let inputs = Inputs { chunks: chunks_in, commands, internal: internal_in, batch };
        let shared = || Arc::clone(&engine);
        let mut sources = JoinSet::new();
        sources.spawn(run_effects(runner, shared(), internal.clone(), stopping.clone()));
        if let Some(pruner) = pruner {
            sources.spawn(run_pruner(pruner, stopping.clone()));
        }
        sources.spawn(run_key_pruner(shared(), stopping.clone()));
        sources.spawn(run_replays(replays, shared(), internal.clone(), stopping.clone()));
        sources.spawn(run_alarms(alarms, shared(), internal, stopping));
        Parts {
            stop,
            engine: tokio::spawn(run_engine(retry_loop, inputs, done)),
            consumer: tokio::spawn(consumer.run()),
            sources,
            relay: tokio::spawn(run_relay(relay, shared(), Arc::clone(&last))),
            last,
        }
    }
}

/// The loops of a running service. When the first of them ends, all others are stopped.
struct Parts {
    stop: watch::Sender<bool>,
    engine: JoinHandle<()>,
    consumer: JoinHandle<Result<(), Fatal>>,
    /// Effects, alarms, dead letters and the pruners.
    sources: JoinSet<()>,
    relay: JoinHandle<()>,
    /// Tells the relay that no further batch commits.
    last: Arc<Notify>,
}

/// Waits for a task for at most `limit`, then aborts it. Returns whether it ended by itself.
async fn ends_within<T>(limit: Duration, task: &mut JoinHandle<T>) -> bool {
    let ended = timeout(limit, &mut *task).await.is_ok();
    if !ended {
        task.abort();
    }
    ended
}

/// The result of a task. A panic in it ends the service.
fn result_of<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
