use std::{sync::Arc, time::Duration};

use clock::{Clock, Random, uuid_v7};
use event::Trace;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use crate::{
    Answer, CommandError, IdempotencyKey, Input, Origin, Participant, Pending, What, Work,
    handoff::Handoff, standstill::Standstill,
};

/// How long a command waits for its answer where others are carried out before it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends commands to the engine and waits until they are committed. Cheap to clone.
pub struct Commands<P: Participant> {
    queue: mpsc::Sender<Pending<P>>,
    handoff: Arc<Handoff>,
    outbox_limit: usize,
    standstill: Arc<Standstill>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl<P: Participant> Clone for Commands<P> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            handoff: Arc::clone(&self.handoff),
            outbox_limit: self.outbox_limit,
            standstill: Arc::clone(&self.standstill),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
        }
    }
}

impl<P: Participant> Commands<P> {
    pub(crate) fn new(
        queue: mpsc::Sender<Pending<P>>,
        (handoff, outbox_limit): (Arc<Handoff>, usize),
        standstill: Arc<Standstill>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { queue, handoff, outbox_limit, standstill, clock, random }
    }

    /// Has a command carried out and answers once that is committed.
    ///
    /// # Errors
    /// [`CommandError::Busy`] and [`CommandError::OutboxFull`] at once, where the queues are full, and
    /// [`CommandError::Standstill`] where the database takes nothing; otherwise what became of it.
    pub async fn send(
        &self,
        command: P::Command,
        key: Option<IdempotencyKey>,
        trace: Trace,
    ) -> Answer<P> {
        if self.handoff.depth() >= self.outbox_limit {
            return Err(CommandError::OutboxFull);
        }
        if self.standstill.is_at(Instant::now()) {
            return Err(CommandError::Standstill);
        }
        let input = Input {
            cause: uuid_v7(&*self.clock, &*self.random),
            at: self.clock.now(),
            trace,
            what: What::Command(command),
        };
        let (reply, answer) = oneshot::channel();
        let work = Work { input, origin: Origin::Command(key) };
        self.queue.try_send(Pending { work, reply: Some(reply) }).map_err(
            |refused| match refused {
                mpsc::error::TrySendError::Full(_) => CommandError::Busy,
                mpsc::error::TrySendError::Closed(_) => CommandError::Stopping,
            },
        )?;
        let answered = async {
            tokio::select! {
                biased;
                answer = answer => answer.unwrap_or(Err(CommandError::Stopping)),
                () = self.standstill.comes() => Err(CommandError::TimedOut),
            }
        };
        timeout(PATIENCE, answered).await.unwrap_or(Err(CommandError::TimedOut))
    }
}
