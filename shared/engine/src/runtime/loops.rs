//! The loops of a running service. Each calls its step until told to stop.

use std::{sync::Arc, time::Duration};

use bus::Position;
use store::Listener;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    Alarms, EffectRunner, Engine, Never, Participant, Pending, Poison, Pruner, Relay, RelayError,
    Replays, Sent, Work,
    batch::retry::{Retried, RetryLoop},
    input::fairness::Inputs,
    outbox::{Outbox, lease::CHANNEL, relay::BATCH},
    shutdown::stopped,
    upkeep::{keys, prune},
};

/// The pause of a loop after its step failed.
const RETRY: Duration = Duration::from_millis(500);
/// The longest pause after work that was not a full batch.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// After this many inputs or events, the pause is as long as their work took. See [`rest`].
const FULL_PAUSE_COUNT: f64 = 16.0;
/// The pause between two hints to the relay that holds the lease.
const HINTS_APART: Duration = Duration::from_millis(5);

pub(super) async fn run_engine<P: Participant>(
    mut retry_loop: RetryLoop<P>,
    mut inputs: Inputs<P>,
    done: mpsc::UnboundedSender<Vec<Position>>,
) {
    let mut stop = retry_loop.stop.clone();
    let mut stopping = false;
    loop {
        let next = tokio::select! {
            biased;
            () = stopped(&mut stop), if !stopping => {
                // No new commands. Those that wait are still carried out.
                stopping = true;
                inputs.commands.close();
                continue;
            }
            next = inputs.next() => next,
        };
        let Some(next) = next else { return };
        let mut positions = next.passed;
        let (begun, count) = (Instant::now(), next.works.len() + next.unreadable.len());
        if count > 0 {
            match retry_loop.apply(next.works, Poison::of(next.unreadable)).await {
                Retried::Applied(applied) => positions.extend(applied),
                Retried::GivenUp => return,
            }
        }
        // A batch without records has no positions, and need not interrupt a read that is under way. The send fails
        // only once the consumer has ended; then the records come again, as duplicates.
        if next.has_chunk {
            let _ = done.send(furthest(positions));
        }
        if (1..inputs.batch).contains(&count) {
            rest(begun, count).await;
        }
    }
}

/// Pauses for `elapsed × (count / 16)²`, at most 100 ms. Inputs that arrive meanwhile share the next transaction, or
/// the next request to the broker. A single input is hardly held up.
async fn rest(begun: Instant, count: usize) {
    let share = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / FULL_PAUSE_COUNT;
    let pause = begun.elapsed().as_secs_f64() * share * share;
    sleep(Duration::from_secs_f64(pause.min(LONGEST_REST.as_secs_f64()))).await;
}

/// The furthest position of each partition. A batch can have two: one of its applied records, and one of those skipped.
fn furthest(mut positions: Vec<Position>) -> Vec<Position> {
    positions.sort_by(|a, b| (&a.topic, a.partition, b.next).cmp(&(&b.topic, b.partition, a.next)));
    positions.dedup_by(|a, b| (&a.topic, a.partition) == (&b.topic, b.partition));
    positions
}

pub(super) async fn run_effects<P: Participant>(
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
            tracing::warn!(%error, "cannot store failed attempts; trying again");
            sleep(RETRY).await;
        }
    }
}

pub(super) async fn run_alarms<P: Participant>(
    alarms: Alarms,
    engine: Arc<Engine<P>>,
    works: mpsc::Sender<Pending<P>>,
    mut stop: watch::Receiver<bool>,
) {
    if Never::is::<P::Alarm>() {
        return stopped(&mut stop).await;
    }
    loop {
        match alarms.step().await {
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

/// How often a replica looks for replays that were requested from another one, which did not carry them out.
const REPLAYS_POLL: Duration = Duration::from_secs(5);

pub(super) async fn run_replays<P: Participant>(
    replays: Replays,
    engine: Arc<Engine<P>>,
    works: mpsc::Sender<Pending<P>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        match replays.step().await {
            Ok(replayed) => {
                if hand_over(&works, replayed).await.is_err() {
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

/// Hands inputs to the engine. Fails only once the engine has ended; then their rows bring the same inputs again.
async fn hand_over<P: Participant>(
    to: &mpsc::Sender<Pending<P>>,
    works: Vec<Work<P>>,
) -> Result<(), ()> {
    for work in works {
        to.send(work.into()).await.map_err(drop)?;
    }
    Ok(())
}

/// Sends the outbox until `last` is notified, then sends the rest and releases the lease.
pub(super) async fn run_relay<P: Participant>(
    mut relay: Relay,
    engine: Arc<Engine<P>>,
    last: Arc<Notify>,
) {
    let (mut failing, poll) = (false, engine.settings.relay_poll);
    // Dropping the set at the end of this function ends the listener.
    let mut listening = JoinSet::new();
    if let Some(listener) = engine.db.listener(CHANNEL).filter(|_| !engine.outbox.always_sole) {
        listening.spawn(listen(listener, Arc::clone(&engine.outbox)));
    }
    let mut tidy_at = Instant::now() + poll;
    loop {
        // Tidying has a fixed interval, because under load there are always events to send.
        if tidy_at <= Instant::now() {
            if let Err(error) = relay.tidy().await {
                tracing::debug!(%error, "cannot tidy the outbox now");
            }
            tidy_at = Instant::now() + poll;
        }
        let begun = Instant::now();
        let pause = match relay.step().await {
            Ok(Sent::Some(count)) => {
                failing = false;
                if count >= BATCH {
                    continue;
                }
                rest(begun, count).await;
                // A commit since the read has left a notification, which ends this pause.
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
            () = engine.outbox.wake.notified(), if !failing => {}
            () = sleep(pause) => {}
            () = last.notified() => break,
        }
    }
    let rest = async {
        while let Sent::Some(_) = relay.step().await? {}
        relay.tidy().await?;
        Ok::<(), RelayError>(relay.release().await?)
    };
    if let Err(error) = rest.await {
        tracing::warn!(%error, "the outbox could not be sent; it will be after the next start");
    }
}

/// Passes the notifications of other replicas to the outbox.
async fn listen(mut listener: Listener, outbox: Arc<Outbox>) {
    loop {
        match listener.hear().await {
            Ok(said) => outbox.hear(&said),
            Err(error) => {
                // The database does not answer, which the other loops report. They poll meanwhile.
                tracing::debug!(%error, "cannot listen to the other replicas");
                sleep(RETRY).await;
            }
        }
    }
}

pub(super) async fn run_pruner(pruner: Pruner, mut stop: watch::Receiver<bool>) {
    loop {
        let deleted = tokio::select! {
            deleted = pruner.step() => deleted,
            () = stopped(&mut stop) => return,
        };
        let pause = match deleted {
            Ok(rows) => {
                if rows > 0 {
                    tracing::info!(rows, "deleted inbox ids that no record can bring again");
                }
                prune::EVERY
            }
            Err(error) => {
                tracing::info!(%error, "the inbox cannot be pruned now");
                prune::RETRY
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

pub(super) async fn run_key_pruner<P: Participant>(
    engine: Arc<Engine<P>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        if let Err(error) = engine.prune_idempotency_keys().await {
            tracing::debug!(%error, "cannot delete expired idempotency keys now; the next try is in an hour");
        }
        tokio::select! {
            () = sleep(keys::EVERY) => {}
            () = stopped(&mut stop) => return,
        }
    }
}
