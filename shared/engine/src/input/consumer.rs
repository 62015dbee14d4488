//! The consumer: receives the records of the service's topics, validates and decodes them, and stores the offsets
//! of those that are applied.
//!
//! It runs from the start of the service until the engine has finished its last batch.
//!
//! 1. It joins the consumer group, once the checks of [`EventConsumer::try_join`] say that nothing was missed. While the
//!    broker or the database does not answer, it tries again. A failed check ends the service with a [`Fatal`].
//! 2. It receives chunks of records and hands them to the engine, two ahead at most. While the engine has no room it
//!    keeps its membership alive and pauses its partitions.
//! 3. It stores an offset only when the engine says that the batch is committed. After a crash the records in
//!    between come again, and the inbox recognises them.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, Consumer, Incoming, LogThrottle, PartitionState, Position, Topic};
use event::{Decoded, EventId, decode};
use store::Db;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    Fatal, Input, Origin, Participant, Pending, Reason, Unreadable, What, Work, bus_identity,
    participant::{consumes, group, subscription},
    shutdown::stopped,
    upkeep::partitions,
    work::after,
};

/// The most chunks that wait for the engine: one to take while the next is fetched.
pub(crate) const CHUNKS: usize = 2;
/// How long the engine may be busy before the partitions are paused.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pause after the broker failed.
const RETRY: Duration = Duration::from_millis(500);
/// How many such pauses a predecessor of this process may still hold the group: half a minute.
const PREDECESSOR: u32 = 60;

/// The records of one poll.
pub struct Chunk<P: Participant> {
    /// The events that the service reacts to.
    pub works: Vec<Pending<P>>,
    /// Positions of records that the service does not react to.
    pub passed: Vec<Position>,
    /// Records that cannot be decoded, each with the index of the input among `works` before which it arrived.
    pub unreadable: Vec<Unreadable>,
}

/// See the module.
pub(crate) struct EventConsumer<P: Participant> {
    pub(crate) bus: Arc<dyn Bus>,
    /// Holds the partition registry.
    pub(crate) db: Db,
    /// The topics to create, including those of other services: the service that starts first creates them.
    pub(crate) topics: Vec<Topic>,
    /// The most records of one chunk.
    pub(crate) chunk: usize,
    pub(crate) chunks: mpsc::Sender<Chunk<P>>,
    pub(crate) done: mpsc::UnboundedReceiver<Vec<Position>>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Becomes the id of a bus that has none.
    pub(crate) replica: Uuid,
    /// Which failures of the broker were logged. One that lasts is logged once a minute.
    pub(crate) said: LogThrottle,
}

impl<P: Participant> EventConsumer<P> {
    /// Receives until told to stop. Then stores the offsets of the last batches, and leaves the group.
    pub(crate) async fn run(mut self) -> Result<(), Fatal> {
        let mut consumer = loop {
            let Some(mut consumer) = self.join().await? else { return Ok(()) };
            let Err(error) = self.receive(&mut *consumer).await else { break consumer };
            if self.said.should_log(&error.to_string(), Instant::now().into_std()) {
                tracing::warn!(%error, "cannot receive any more; joining the group anew");
            }
            sleep(RETRY).await;
        };
        let Self { chunks, mut done, bus, db, .. } = self;
        drop(chunks);
        while let Some(positions) = done.recv().await {
            store(&mut *consumer, &positions);
        }
        if let Err(error) = consumer.close().await {
            tracing::warn!(%error, "could not leave the group; its events come again");
        }
        let registering = async {
            let states = bus.partitions(&group::<P>(), &subscription::<P>()).await.ok()?;
            partitions::forgotten(&db, &states).await.ok().map(drop)
        };
        // If this fails, the partitions are registered at the next start.
        let _ = timeout(RETRY, registering).await;
        Ok(())
    }

    /// Joins the group once the broker answers. `None` if told to stop before.
    async fn join(&mut self) -> Result<Option<Box<dyn Consumer>>, Fatal> {
        let (mut patience, mut stop) = (PREDECESSOR, self.stop.clone());
        loop {
            let joined = tokio::select! {
                joined = self.try_join() => joined,
                () = stopped(&mut stop) => return Ok(None),
            };
            let error = match joined {
                Ok(consumer) => return Ok(Some(consumer)),
                Err(Fatal::Bus(error)) if error.is_transient() => error,
                // A predecessor may still be draining.
                Err(Fatal::Bus(error @ BusError::Taken { .. })) if patience > 0 => {
                    patience -= 1;
                    error
                }
                Err(fatal) => return Err(fatal),
            };
            if self.said.should_log(&error.to_string(), Instant::now().into_std()) {
                tracing::warn!(%error, "cannot join the group yet; trying again");
            }
            tokio::select! {
                () = sleep(RETRY) => {}
                () = stopped(&mut stop) => return Ok(None),
            }
        }
    }

    /// Joins if the bus is the one that this database belongs to, and every offset of the group is within its
    /// partition.
    async fn try_join(&self) -> Result<Box<dyn Consumer>, Fatal> {
        self.bus.create_topics(&self.topics).await?;
        let (group, topics) = (group::<P>(), subscription::<P>());
        let known = bus_identity::require(&self.db, &*self.bus, self.replica).await?;
        let states = self.bus.partitions(&group, &topics).await?;
        known.require_unread(&self.db, &group, &states).await?;
        known.remember(&self.db).await.map_err(|error| Fatal::database_unavailable(&error))?;
        let forgotten = partitions::forgotten(&self.db, &states).await;
        if let Some(state) = forgotten.map_err(|error| Fatal::database_unavailable(&error))? {
            let (topic, partition) = (state.topic.clone(), state.partition);
            let (low, high) = (state.low, state.high);
            return Err(Fatal::Forgotten { group, topic, partition, low, high });
        }
        for state in states {
            if let Some(next) = state.committed.filter(|_| !state.is_in_reach()) {
                let PartitionState { topic, partition, low, high, .. } = state;
                return Err(if next < low {
                    Fatal::Missed { group, topic, partition, next, low }
                } else {
                    Fatal::Ahead { group, topic, partition, next, high }
                });
            }
        }
        Ok(self.bus.consumer(&group, &topics).await?)
    }

    /// Receives until told to stop, or until the broker's client cannot go on.
    async fn receive(&mut self, consumer: &mut dyn Consumer) -> Result<(), BusError> {
        let mut paused = false;
        loop {
            let room = self.chunks.capacity() > 0;
            if room && paused {
                paused = !succeeded(consumer.resume(), "resume its partitions");
            }
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return Ok(()),
                Some(positions) = self.done.recv() => store(consumer, &positions),
                received = consumer.receive(self.chunk), if room || paused => {
                    let records = received?;
                    if self.said.reset() {
                        tracing::info!("events arrive again");
                    }
                    // There is room, and this is the only sender. So this fails only if the engine has ended.
                    if !records.is_empty() && self.chunks.try_send(chunk(records)).is_err() {
                        return Ok(());
                    }
                }
                () = sleep(PATIENCE), if !room && !paused => {
                    // Even if pausing fails, no record is handed to the engine while it has no room.
                    succeeded(consumer.pause(), "pause its partitions");
                    paused = true;
                }
            }
        }
    }
}

fn succeeded(result: Result<(), BusError>, what: &str) -> bool {
    result.inspect_err(|error| tracing::warn!(%error, "the consumer could not {what}")).is_ok()
}

fn store(consumer: &mut dyn Consumer, positions: &[Position]) {
    crate::crash_point!(BeforeOffsets, positions);
    if let Err(error) = consumer.store(positions) {
        tracing::warn!(%error, "could not store offsets; their events come again as duplicates");
    }
    crate::crash_point!(AfterOffsets, positions);
}

/// Decodes records.
#[must_use]
pub fn chunk<P: Participant>(records: Vec<Incoming>) -> Chunk<P> {
    let mut chunk = Chunk {
        works: Vec::with_capacity(records.len()),
        passed: Vec::new(),
        unreadable: Vec::new(),
    };
    for record in records {
        if !consumes::<P>(&record) {
            chunk.passed.push(after(&record));
            continue;
        }
        match decode(&record.key, &record.headers, &record.value) {
            Ok(Decoded::Event(envelope)) => {
                let input = Input {
                    cause: EventId::into(envelope.id),
                    at: envelope.at,
                    trace: envelope.trace,
                    what: What::Event(envelope.event),
                };
                chunk.works.push(Work { input, origin: Origin::Event(record) }.into());
            }
            Ok(Decoded::Foreign { .. }) => chunk.passed.push(after(&record)),
            Err(error) => {
                let reason = Reason::unreadable(&error);
                chunk.unreadable.push(Unreadable { before: chunk.works.len(), record, reason });
            }
        }
    }
    chunk
}
