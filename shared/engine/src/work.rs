//! An input of a batch: what it is, where it came from, and how its sender is answered.

use bus::{Incoming, Position};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{Input, Participant};

/// An input and where it came from.
#[derive(Debug)]
pub struct Work<P: Participant> {
    /// What the service reacts to.
    pub input: Input<P>,
    /// Where it came from, which determines how a repeat is recognised.
    pub origin: Origin,
}

/// Where an [`Input`] came from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// From the broker, in this record. A repeat is in the inbox.
    Event(Incoming),
    /// From a dead-letter queue, to be tried once more. A repeat is in the inbox, or finds the dead letter gone.
    Replay(Replay),
    /// Over HTTP, perhaps under an idempotency key. A repeat is in the inbox.
    Command(Option<IdempotencyKey>),
    /// From the effect runner. A repeat finds its effect's row gone.
    Outcome,
    /// From the alarms. A repeat finds its alarm's row gone.
    Alarm,
}

/// A dead letter that is tried once more.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Its id in the table.
    pub dead_letter: Uuid,
    /// The id of its queue.
    pub queue: Uuid,
    /// How often it was tried, this time included.
    pub attempt: i64,
    /// The record, with the number of the attempt in its header.
    pub record: Incoming,
}

impl Origin {
    /// The record that it came in, if it is an event.
    #[must_use]
    pub fn record(&self) -> Option<&Incoming> {
        match self {
            Self::Event(record) | Self::Replay(Replay { record, .. }) => Some(record),
            Self::Command(_) | Self::Outcome | Self::Alarm => None,
        }
    }
}

/// The client's `Idempotency-Key` with what it was used for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The key, prefixed by the route that it belongs to.
    pub key: String,
    /// SHA-256 of the request's body in its canonical form: what a repeat must have in common.
    pub hash: [u8; 32],
    /// SHA-256 of the bytes of the body, by which earlier versions compared: an answer that one of
    /// them has stored is given to a repeat of the same bytes.
    pub sent: [u8; 32],
}

/// Why a command was not carried out, apart from the service's own reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The idempotency key was used for another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// More commands are waiting than `commands.queue` allows.
    #[error("too many requests are waiting")]
    Busy,
    /// More events wait for the broker than `outbox.limit` allows.
    #[error("too many events wait for the broker")]
    OutboxFull,
    /// The database has taken no batch for seconds: it is away, or full.
    #[error("the database takes no changes")]
    DatabaseOutage,
    /// The service is stopping, or its database is away.
    #[error("the service is stopping")]
    Stopping,
    /// The database did not answer in time. The command may be carried out all the same.
    #[error("the database does not answer")]
    TimedOut,
    /// The command cannot be carried out; the service's log says why.
    #[error("the request could not be carried out")]
    Failed,
}

/// What the sender of a command gets.
pub type Answer<P> = Result<<P as Participant>::Reply, CommandError>;

/// An input that waits for its batch.
#[derive(Debug)]
pub struct Pending<P: Participant> {
    /// The work.
    pub work: Work<P>,
    /// Where the answer goes, if it is a command.
    pub reply: Option<oneshot::Sender<Answer<P>>>,
}

impl<P: Participant> From<Work<P>> for Pending<P> {
    fn from(work: Work<P>) -> Self {
        Self { work, reply: None }
    }
}

impl<P: Participant> Work<P> {
    /// The id that the inbox remembers, of events and commands.
    pub(crate) fn inbox_id(&self) -> Option<Uuid> {
        match self.origin {
            Origin::Event(_) | Origin::Replay(_) | Origin::Command(_) => Some(self.input.cause),
            Origin::Outcome | Origin::Alarm => None,
        }
    }

    pub(crate) fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        match &self.origin {
            Origin::Command(key) => key.as_ref(),
            _ => None,
        }
    }
}

/// The position to store once this record is applied: the offset after its own.
pub(crate) fn after(record: &Incoming) -> Position {
    let (topic, partition) = (record.topic.clone(), record.partition);
    Position { topic, partition, next: record.offset + 1 }
}
