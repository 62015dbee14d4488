//! The loops themselves: each only calls its step, for ever, until told to stop.

use std::{sync::Arc, time::Duration};

use bus::Position;
use store::Listener;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    Alarms, EffectRunner, Engine, Never, Parking, Participant, Pending, Relay, RelayError, Replays,
    Sent, Unreadable, Work,
    handoff::Handoff,
    intake::Chunk,
    lease::CHANNEL,
    relay::BATCH,
    run::stopped,
    settle::{Settled, Settler},
};

/// The pause of a loop after its step failed.
const RETRY: Duration = Duration::from_millis(500);
/// The longest pause after work that was not a full batch.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// So many inputs or events at once are worth a pause as long as the work itself took; twice as many
/// four times that.
const WORTH_ITS_TIME: f64 = 16.0;
/// The pause between two hints to the relay that holds the lease.
const HINTS_APART: Duration = Duration::from_millis(5);

/// Where the engine's work comes from.
pub(crate) struct Inputs<P: Participant> {
    pub(crate) chunks: mpsc::Receiver<Chunk<P>>,
    pub(crate) commands: mpsc::Receiver<Pending<P>>,
    pub(crate) internal: mpsc::Receiver<Pending<P>>,
    pub(crate) batch: usize,
}

/// What waited when the engine was free.
struct Taken<P: Participant> {
    works: Vec<Pending<P>>,
    /// Whether a chunk is among it.
    chunk: bool,
    passed: Vec<Position>,
    unreadable: Vec<(usize, Unreadable)>,
}

impl<P: Participant> Inputs<P> {
    /// Waits for something, then takes what is there up to the batch's size, without waiting to
    /// fill. `None` when every source has dried up.
    async fn next(&mut self) -> Option<Taken<P>> {
        let mut taken =
            Taken { works: Vec::new(), chunk: false, passed: Vec::new(), unreadable: Vec::new() };
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
        let before = self.works.len();
        let unreadable = chunk.unreadable.into_iter();
        self.unreadable.extend(unreadable.map(|(place, record)| (before + place, record)));
        self.works.extend(chunk.works);
        self.passed.extend(chunk.passed);
        self.chunk = true;
    }
}

pub(crate) async fn run_engine<P: Participant>(
    mut settler: Settler<P>,
    mut inputs: Inputs<P>,
    done: mpsc::UnboundedSender<Vec<Position>>,
) {
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
        let Some(taken) = taken else { return };
        let mut positions = taken.passed;
        let (begun, count) = (Instant::now(), taken.works.len() + taken.unreadable.len());
        if count > 0 {
            match settler.settle(taken.works, Parking::of(taken.unreadable)).await {
                Settled::Applied(applied) => positions.extend(applied),
                Settled::GivenUp => return,
            }
        }
        // Only fails once the consumer is gone; then they come again, as duplicates. Commands alone
        // tell it nothing, and must not disturb a read under way.
        if taken.chunk {
            let _ = done.send(furthest(positions));
        }
        if (1..inputs.batch).contains(&count) {
            rest(begun, count).await;
        }
    }
}

/// What comes meanwhile shares the next transaction, or the next request to the broker. The more there
/// was to do, the longer: what waits anyway then costs a fraction, and a single input is not held up.
async fn rest(begun: Instant, count: usize) {
    let share = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / WORTH_ITS_TIME;
    let worth = begun.elapsed().as_secs_f64() * share * share;
    sleep(Duration::from_secs_f64(worth.min(LONGEST_REST.as_secs_f64()))).await;
}

/// One position for each partition: a record of ours and one passed over may both be its last.
fn furthest(mut positions: Vec<Position>) -> Vec<Position> {
    positions.sort_by(|a, b| (&a.topic, a.partition, b.next).cmp(&(&b.topic, b.partition, a.next)));
    positions.dedup_by(|a, b| (&a.topic, a.partition) == (&b.topic, b.partition));
    positions
}

pub(crate) async fn run_effects<P: Participant>(
    mut runner: EffectRunner<P>,
    engine: Arc<Engine<P>>,
    works: mpsc::Sender<Pending<P>>,
    mut stop: watch::Receiver<bool>,
) {
    if Never::is::<P::Effect>() {
        return stopped(&mut stop).await;
    }
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

pub(crate) async fn run_alarms<P: Participant>(
    alarms: Alarms,
    engine: Arc<Engine<P>>,
    works: mpsc::Sender<Pending<P>>,
    mut stop: watch::Receiver<bool>,
) {
    if Never::is::<P::Alarm>() {
        return stopped(&mut stop).await;
    }
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

/// How often it is looked for replays that a replica did not get to; it wakes for its own.
const REPLAYS_POLL: Duration = Duration::from_secs(5);

pub(crate) async fn run_replays<P: Participant>(
    replays: Replays,
    engine: Arc<Engine<P>>,
    works: mpsc::Sender<Pending<P>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        match replays.turn().await {
            Ok(letters) => {
                if hand_over(&works, letters).await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::warn!(%error, "cannot read the dead letters; trying again"),
        }
        tokio::select! {
            () = engine.replay_wake.notified() => {}
            () = sleep(REPLAYS_POLL) => {}
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
pub(crate) async fn run_relay<P: Participant>(
    mut relay: Relay,
    engine: Arc<Engine<P>>,
    last: Arc<Notify>,
) {
    let (mut failing, poll) = (false, engine.settings.relay_poll);
    // Ends with this function.
    let mut listening = JoinSet::new();
    if let Some(listener) = engine.db.listener(CHANNEL).filter(|_| !engine.exclusive.is_always()) {
        listening.spawn(listen(listener, Arc::clone(&engine.handoff)));
    }
    let mut tidy_at = Instant::now() + poll;
    loop {
        // By the time and not when there is nothing to send: under load there always is.
        if tidy_at <= Instant::now() {
            if let Err(error) = relay.tidy().await {
                tracing::debug!(%error, "cannot tidy the outbox now");
            }
            tidy_at = Instant::now() + poll;
        }
        let begun = Instant::now();
        let pause = match relay.turn().await {
            Ok(Sent::Some(count)) => {
                failing = false;
                if count >= BATCH {
                    continue;
                }
                rest(begun, count).await;
                // What came since it was read has left a wake-up.
                poll
            }
            Ok(Sent::Nothing) => poll,
            Ok(Sent::StandingBy) => {
                sleep(HINTS_APART).await;
                poll
            }
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
        relay.tidy().await?;
        Ok::<(), RelayError>(relay.release().await?)
    };
    if let Err(error) = rest.await {
        tracing::warn!(%error, "the outbox could not be sent; it will be after the next start");
    }
}

/// Passes on what other replicas say.
async fn listen(mut listener: Listener, handoff: Arc<Handoff>) {
    loop {
        match listener.hear().await {
            Ok(said) => handoff.hear(&said),
            Err(error) => {
                // The database is away, which others report; polling goes on meanwhile.
                tracing::debug!(%error, "cannot hear the other replicas");
                sleep(RETRY).await;
            }
        }
    }
}
