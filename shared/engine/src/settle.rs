//! A batch that fails is turned again with the same inputs until it commits.

use std::{sync::Arc, time::Duration};

use bus::Position;
use clock::Random;
use store::Class;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    Answer, Engine, Parking, Participant, Pending, Reason, Remembered, Turn, TurnError, What, Work,
    run::stopped, settings::backoff,
};

/// The pause after a lost race with another replica: enough to let it commit.
const CONFLICT_PAUSE_MILLIS: u64 = 5;
/// A race that is lost more often in a row is none, but a mistake of ours that returns each time.
const RACES: u32 = 20;

/// How long a turn may take before the database counts as away: its host may have vanished without
/// a word.
const TURN_LIMIT: Duration = Duration::from_mins(1);

/// Why an engine stops for good. Nothing is lost and nothing skipped: started again, it stands
/// before the same input.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// Events were deleted before this service read them.
    #[error(
        "{topic}[{partition}]: group {group} is to go on at offset {next}, but the oldest record \
         there has offset {low}: those between were deleted unread. Restore the broker from a \
         backup that has them, or accept the loss and set the group to the earliest offset"
    )]
    Missed {
        /// The consumer group, without the namespace.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first that was not read.
        next: i64,
        /// The first that still exists.
        low: i64,
    },
    /// The topic ends before the place where this service is to go on.
    #[error(
        "{topic}[{partition}]: group {group} is to go on at offset {next}, but the topic ends at \
         {high}: it was made anew, or the broker lost its end. Restore the broker, or set the \
         group to the earliest offset: what was applied before is recognised"
    )]
    Ahead {
        /// The consumer group, without the namespace.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset to go on at.
        next: i64,
        /// The offset that the next record will get.
        high: i64,
    },
    /// The broker has forgotten where this service was.
    #[error(
        "{topic}[{partition}]: the broker has forgotten the offset of group {group}: the group was \
         away for too long, or the topic was made anew. It holds offsets {low} to {high} now; what \
         else there was is not known. Restore the broker, or set the group to the earliest offset: \
         what was applied before is recognised"
    )]
    Forgotten {
        /// The consumer group, without the namespace.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset that exists.
        low: i64,
        /// The offset that the next record will get.
        high: i64,
    },
    /// The database belongs to another bus.
    #[error(
        "this database belongs to the bus {known} (id {known_id}), but bus.url is {bus} (id {id}): start \
         the pair that belongs together. `quintet up --fresh` begins anew with both; to keep the database \
         with this bus, where the other one is lost, delete the row of its table known_bus"
    )]
    Stranger {
        /// Where the bus was that the database knows.
        known: String,
        /// That bus's id.
        known_id: Uuid,
        /// Where the bus is that the service was given.
        bus: String,
        /// This bus's id.
        id: Uuid,
    },
    /// The database is new, and the group is not.
    #[error(
        "{topic}[{partition}]: this database is new, but group {group} has read up to offset {next}: the \
         database would never hear of what lies before. Start with the database that belongs to this \
         bus, have the group read everything again (`quintet rewind`), or begin anew with both \
         (`quintet up --fresh`)"
    )]
    Unread {
        /// The consumer group, without the namespace.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset to go on at.
        next: i64,
    },
    /// The bus refuses for good.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
}

/// What settling a batch came to.
#[derive(Debug)]
pub(crate) enum Settled {
    /// Applied; these positions are done.
    Applied(Vec<Position>),
    /// Given up because the service stops while its database is away. What was not answered comes
    /// again.
    GivenUp,
}

pub(crate) struct Settler<P: Participant> {
    pub(crate) engine: Arc<Engine<P>>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl<P: Participant> Settler<P> {
    /// Applies a batch, however often that has to be tried, and answers its commands. What cannot be
    /// applied is parked, or if it is a command refused.
    pub(crate) async fn settle(&mut self, batch: Vec<Pending<P>>, mut parking: Parking) -> Settled {
        let (works, mut replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.work, pending.reply)).unzip();
        let (mut remembered, mut attempt) = (Remembered::<P>::new(), 0_u32);
        let standstill = Arc::clone(&self.engine.standstill);
        let _trial = standstill.trial(Instant::now());
        loop {
            let turn = self.engine.turn_parking(&works, &parking, &mut remembered);
            let turn = timeout(TURN_LIMIT, turn).await;
            let error = match turn.unwrap_or_else(|_| Err(self.engine.gave_up())) {
                Ok(Turn { answers, positions, .. }) => {
                    for (index, answer) in answers {
                        if let Some(reply) = replies[index].take() {
                            let _ = reply.send(answer);
                        }
                    }
                    crate::crash_point!(AfterReply, &*works);
                    return Settled::Applied(positions);
                }
                Err(error) => error,
            };
            let culprit = match &error {
                TurnError::Poison { culprit, reason } => Some((*culprit, reason.clone())),
                TurnError::Store(error) if error.class() == Class::Data => match works.len() {
                    0 => None,
                    1 => Some((0, Reason::refused(error))),
                    _ => return self.one_by_one(works, replies, parking).await,
                },
                TurnError::Store(_) => None,
            };
            if let Some((culprit, reason)) = culprit.filter(|(place, _)| !parking.refuses(*place)) {
                refused(&works[culprit], &reason);
                parking.refuse(culprit, reason);
                continue;
            }
            attempt += 1;
            if !self.pause(&error, attempt).await {
                return Settled::GivenUp;
            }
        }
    }

    /// The database refuses something in the batch: whose it is shows when each goes alone.
    async fn one_by_one(
        &mut self,
        works: Vec<Work<P>>,
        replies: Vec<Option<oneshot::Sender<Answer<P>>>>,
        mut parking: Parking,
    ) -> Settled {
        let mut done = Vec::new();
        for (place, (work, reply)) in works.into_iter().zip(replies).enumerate() {
            let only = parking.only(place);
            match Box::pin(self.settle(vec![Pending { work, reply }], only)).await {
                Settled::Applied(positions) => done.extend(positions),
                Settled::GivenUp => return Settled::GivenUp,
            }
        }
        match Box::pin(self.settle(Vec::new(), parking)).await {
            Settled::Applied(positions) => Settled::Applied([done, positions].concat()),
            Settled::GivenUp => Settled::GivenUp,
        }
    }

    /// Waits before the next attempt; false if there shall be none.
    async fn pause(&mut self, error: &TurnError, attempt: u32) -> bool {
        let race = error.class() == Class::Conflict;
        if race && attempt <= RACES {
            tracing::debug!(%error, attempt, "lost a race; turning the batch again");
            sleep(Duration::from_millis(1 + self.random.below(CONFLICT_PAUSE_MILLIS))).await;
            return true;
        }
        if attempt == 1 || race {
            tracing::error!(%error, "the database does not take the batch; trying until it does");
        }
        let pause = backoff(&self.engine.settings, attempt, &*self.random);
        tokio::select! {
            () = sleep(pause) => true,
            () = stopped(&mut self.stop) => false,
        }
    }
}

/// Says that an input cannot be applied. Events say so once they are parked.
fn refused<P: Participant>(work: &Work<P>, reason: &Reason) {
    let (trace_id, why) = (work.input.trace.trace_id(), reason.to_string());
    match &work.input.what {
        What::Command(command) => {
            tracing::error!(?command, trace_id, why, "a command cannot be applied");
        }
        What::Outcome(aggregate_id, outcome) => {
            tracing::error!(
                %aggregate_id, ?outcome, trace_id, why,
                "an outcome cannot be applied: its effect will be asked again"
            );
        }
        What::Alarm(aggregate_id, alarm) => {
            tracing::error!(
                %aggregate_id, ?alarm, trace_id, why,
                "a deadline cannot be applied: it will ring again"
            );
        }
        What::Event(_) => {}
    }
}
