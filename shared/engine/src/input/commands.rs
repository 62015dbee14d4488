//! Commands: what an HTTP handler asks of the service, and waits for.

use std::{sync::Arc, time::Duration};

use clock::{Clock, Random, uuid_v7};
use event::Trace;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use crate::{
    Answer, CommandError, Engine, IdempotencyKey, Input, Origin, Participant, Pending, What, Work,
    batch::outage::DatabaseOutage, outbox::Outbox,
};

/// How long a command waits for its answer while the engine applies earlier inputs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends commands to the engine and waits until they are committed. Cheap to clone.
pub struct Commands<P: Participant> {
    queue: mpsc::Sender<Pending<P>>,
    outbox: Arc<Outbox>,
    outbox_limit: usize,
    outage: Arc<DatabaseOutage>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl<P: Participant> Clone for Commands<P> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            outbox: Arc::clone(&self.outbox),
            outbox_limit: self.outbox_limit,
            outage: Arc::clone(&self.outage),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
        }
    }
}

impl<P: Participant> Commands<P> {
    pub(crate) fn new(
        engine: &Engine<P>,
        queue: mpsc::Sender<Pending<P>>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            queue,
            outbox: Arc::clone(&engine.outbox),
            outbox_limit: engine.settings.outbox_limit,
            outage: Arc::clone(&engine.outage),
            clock: Arc::clone(&engine.clock),
            random,
        }
    }

    /// Has a command carried out. Returns its answer once it is committed.
    ///
    /// # Errors
    /// At once, [`CommandError::Busy`] if too many commands wait, [`CommandError::OutboxFull`] if too many events
    /// wait, and [`CommandError::DatabaseOutage`] if the database takes no batch. Later, [`CommandError::TimedOut`]
    /// if the database stops answering, and what else prevented the command.
    pub async fn send(
        &self,
        command: P::Command,
        key: Option<IdempotencyKey>,
        trace: Trace,
    ) -> Answer<P> {
        if self.outbox.depth() >= self.outbox_limit {
            return Err(CommandError::OutboxFull);
        }
        if self.outage.is_at(Instant::now()) {
            return Err(CommandError::DatabaseOutage);
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
                () = self.outage.begins() => Err(CommandError::TimedOut),
            }
        };
        timeout(PATIENCE, answered).await.unwrap_or(Err(CommandError::TimedOut))
    }
}
