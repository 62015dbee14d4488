//! From the broker to the engine.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bus::{Bus, BusError, Consumer, Incoming, PartitionState, Position, Said, Topic};
use event::{Contract, Decoded, EventId, EventType, decode};
use store::{Db, StoreError};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    Fatal, Input, Origin, Participant, Pending, Reason, Unreadable, What, Work, acquainted, place,
    run::stopped,
};

/// Chunks that wait for the engine: one to take while the next is fetched.
pub(crate) const CHUNKS: usize = 2;
/// How long the engine may be busy before the partitions are paused.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pause after the broker failed us.
const RETRY: Duration = Duration::from_millis(500);
/// How often that long a predecessor may still hold the group: half a minute.
const PREDECESSOR: u32 = 60;

/// What one poll brought.
pub struct Chunk<P: Participant> {
    /// The events that the service reacts to.
    pub works: Vec<Pending<P>>,
    /// Positions of records that are none of ours.
    pub passed: Vec<Position>,
    /// Records that cannot be understood, each with the place among the works before which it came.
    pub unreadable: Vec<(usize, Unreadable)>,
}

pub(crate) struct Intake<P: Participant> {
    pub(crate) bus: Arc<dyn Bus>,
    /// Knows in which partitions the group has had an offset.
    pub(crate) db: Db,
    /// The topics to create, those that others publish included: whoever comes first creates them.
    pub(crate) topics: Vec<Topic>,
    /// Records of one chunk, at most.
    pub(crate) chunk: usize,
    pub(crate) chunks: mpsc::Sender<Chunk<P>>,
    pub(crate) done: mpsc::UnboundedReceiver<Vec<Position>>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Becomes the id of a bus that has none.
    pub(crate) replica: Uuid,
    /// Which trouble with the broker was said: one that lasts is a line a minute.
    pub(crate) said: Said,
}

/// The consumer group of a service.
#[must_use]
pub fn group<P: Participant>() -> String {
    format!("{}-{}", P::Contract::NAMESPACE, P::NAME)
}

/// The topics of a service's events.
#[must_use]
pub fn subscription<P: Participant>() -> Vec<&'static str> {
    let topics: BTreeSet<_> = P::CONSUMES.iter().map(|event| event.topic()).collect();
    topics.into_iter().collect()
}

impl<P: Participant> Intake<P> {
    /// Receives until told to stop; then stores what the engine still does, and leaves the group.
    pub(crate) async fn run(mut self) -> Result<(), Fatal> {
        let mut consumer = loop {
            let Some(mut consumer) = self.join().await? else { return Ok(()) };
            let Err(error) = self.receive(&mut *consumer).await else { break consumer };
            if self.said.worth_saying(&error.to_string(), Instant::now().into_std()) {
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
        let noting = async {
            let states = bus.partitions(&group::<P>(), &subscription::<P>()).await.ok()?;
            place::forgotten(&db, &states).await.ok().map(drop)
        };
        // Else it is noted at the next start.
        let _ = timeout(RETRY, noting).await;
        Ok(())
    }

    /// Joins the group once the broker is there; `None` if told to stop before.
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
            if self.said.worth_saying(&error.to_string(), Instant::now().into_std()) {
                tracing::warn!(%error, "cannot join the group yet; trying again");
            }
            tokio::select! {
                () = sleep(RETRY) => {}
                () = stopped(&mut stop) => return Ok(None),
            }
        }
    }

    async fn try_join(&self) -> Result<Box<dyn Consumer>, Fatal> {
        self.bus.create_topics(&self.topics).await?;
        let (group, topics) = (group::<P>(), subscription::<P>());
        let meeting = acquainted::require(&self.db, &*self.bus, self.replica).await?;
        let states = self.bus.partitions(&group, &topics).await?;
        meeting.require_unread(&self.db, &group, &states).await?;
        meeting.remember(&self.db).await.map_err(|error| away(&error))?;
        if let Some(state) =
            place::forgotten(&self.db, &states).await.map_err(|error| away(&error))?
        {
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

    /// Receives until told to stop, or until this consumer cannot any more.
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
                    if self.said.over() {
                        tracing::info!("events arrive again");
                    }
                    // There is room, and nobody else sends; if the engine is gone, so are we.
                    if !records.is_empty() && self.chunks.try_send(chunk(records)).is_err() {
                        return Ok(());
                    }
                }
                () = sleep(PATIENCE), if !room && !paused => {
                    // Nothing is handed out from here on, even if the broker's client failed.
                    succeeded(consumer.pause(), "pause its partitions");
                    paused = true;
                }
            }
        }
    }
}

/// The database is away: one joins later.
pub(crate) fn away(error: &StoreError) -> Fatal {
    BusError::Unavailable { reason: format!("the database does not answer: {error}") }.into()
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

/// Whether this service reacts to such an event. A new version of any other is none of its concern.
/// What has no legible type is decoded, which says what is wrong with it.
pub(crate) fn is_ours<P: Participant>(record: &Incoming) -> bool {
    let name = record.headers.text("ce_type");
    name.is_none_or(|name| P::CONSUMES.iter().any(|event| event.as_str() == name))
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
        if !is_ours::<P>(&record) {
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
                chunk.unreadable.push((chunk.works.len(), Unreadable { record, reason }));
            }
        }
    }
    chunk
}

/// The position once this record is done with.
pub(crate) fn after(record: &Incoming) -> Position {
    let (topic, partition) = (record.topic.clone(), record.partition);
    Position { topic, partition, next: record.offset + 1 }
}
