//! A batch that fails is turned again with the same inputs until it commits.

use std::{sync::Arc, time::Duration};

use bus::Position;
use clock::Random;
use store::{Class, StoreError};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    CommandError, Engine, Origin, Participant, Pending, Remembered, Turn, TurnError, What, Work,
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
    /// A record cannot be understood.
    #[error("{topic}[{partition}] offset {offset}: {why}")]
    Undecodable {
        /// Where it lies.
        topic: String,
        /// In which partition.
        partition: i32,
        /// At which offset.
        offset: i64,
        /// What is wrong with it.
        why: String,
    },
    /// An input cannot be applied.
    #[error("{input} cannot be applied: {why}")]
    Poison {
        /// What it is and where it came from.
        input: String,
        /// What is wrong with it.
        why: String,
    },
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
    /// The bus refuses for good.
    #[error(transparent)]
    Bus(#[from] bus::BusError),
}

/// What settling a batch came to, short of a [`Fatal`] end.
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
    /// Applies a batch, however often that has to be tried, and answers its commands. A command
    /// that cannot be applied is refused alone; any other input that cannot be stops the engine.
    pub(crate) async fn settle(&mut self, batch: Vec<Pending<P>>) -> Result<Settled, Fatal> {
        let (mut works, mut replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.work, pending.reply)).unzip();
        let (mut remembered, mut attempt) = (Remembered::<P>::new(), 0_u32);
        loop {
            let turn = timeout(TURN_LIMIT, self.engine.turn(&works, &mut remembered)).await;
            let error = match turn.unwrap_or_else(|_| Err(self.engine.gave_up())) {
                Ok(Turn { answers, positions, .. }) => {
                    for (index, answer) in answers {
                        if let Some(reply) = replies[index].take() {
                            let _ = reply.send(answer);
                        }
                    }
                    crate::crash_point!(AfterReply, &*works);
                    return Ok(Settled::Applied(positions));
                }
                Err(error) => error,
            };
            let (culprit, why) = match error {
                TurnError::Poison { culprit, why } => (culprit, why),
                TurnError::Store(error) if error.class() != Class::Data => {
                    attempt += 1;
                    if !self.pause(&error, attempt).await {
                        return Ok(Settled::GivenUp);
                    }
                    continue;
                }
                TurnError::Store(error) if works.len() == 1 => (0, error.to_string()),
                TurnError::Store(_) => return self.one_by_one(works, replies).await,
            };
            let reply = replies.remove(culprit);
            refuse(Pending { work: works.remove(culprit), reply }, why)?;
        }
    }

    /// The database refuses something in the batch: whose it is shows when each goes alone.
    async fn one_by_one(
        &mut self,
        works: Vec<Work<P>>,
        replies: Vec<Option<tokio::sync::oneshot::Sender<crate::Answer<P>>>>,
    ) -> Result<Settled, Fatal> {
        let mut done = Vec::new();
        for (work, reply) in works.into_iter().zip(replies) {
            match Box::pin(self.settle(vec![Pending { work, reply }])).await? {
                Settled::Applied(positions) => done.extend(positions),
                Settled::GivenUp => return Ok(Settled::GivenUp),
            }
        }
        Ok(Settled::Applied(done))
    }

    /// Waits before the next attempt; false if there shall be none.
    async fn pause(&mut self, error: &StoreError, attempt: u32) -> bool {
        if error.class() == Class::Conflict && attempt <= RACES {
            tracing::debug!(%error, attempt, "lost a race; turning the batch again");
            sleep(Duration::from_millis(1 + self.random.below(CONFLICT_PAUSE_MILLIS))).await;
            return true;
        }
        if attempt == 1 || error.class() == Class::Conflict {
            tracing::error!(%error, "the database does not take the batch; trying until it does");
        }
        let pause = backoff(&self.engine.settings, attempt, &*self.random);
        tokio::select! {
            () = sleep(pause) => true,
            () = stopped(&mut self.stop) => false,
        }
    }
}

fn refuse<P: Participant>(pending: Pending<P>, why: String) -> Result<(), Fatal> {
    let input = match (&pending.work.input.what, &pending.work.origin) {
        (What::Command(command), _) => {
            let trace_id = pending.work.input.trace.trace_id();
            tracing::error!(?command, trace_id, why, "a command cannot be applied");
            pending.answer(Err(CommandError::Failed));
            return Ok(());
        }
        (What::Event(event), Origin::Event(position)) => format!(
            "{} {} at {}[{}] offset {}",
            event.event_type(),
            pending.work.input.cause,
            position.topic,
            position.partition,
            position.next - 1
        ),
        (What::Event(event), _) => event.event_type().to_string(),
        (What::Outcome(order, outcome), _) => format!("outcome {outcome:?} for order {order}"),
        (What::Alarm(order, alarm), _) => format!("alarm {alarm:?} of order {order}"),
    };
    Err(Fatal::Poison { input, why })
}
