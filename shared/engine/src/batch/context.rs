//! What the stages of one attempt at a batch share.

use jiff::Timestamp;
use store::Tx;

use crate::{
    Engine, Participant, Poison, Work,
    dead_letters::Sorted,
    outbox::{Ownership, SentRows},
    telemetry::BatchSpans,
};

/// A batch as the retry loop hands it over: the same at each attempt.
pub(crate) struct Batch<'a, P: Participant> {
    pub(crate) works: &'a [Work<P>],
    /// What of it cannot be applied, and the unreadable records that came with it.
    pub(crate) poison: &'a Poison,
    /// The wall clock at the begin of its first attempt: the time of all that it stores.
    pub(crate) now: Timestamp,
    pub(crate) spans: &'a BatchSpans,
}

impl<P: Participant> Clone for Batch<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Participant> Copy for Batch<'_, P> {}

/// What an attempt takes for granted, so that no statement waits for the database to confirm it. A wrong
/// assumption fails the transaction, and the batch runs again without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimism {
    /// Every input is new, and no aggregate is parked: this process alone can park one, and would know.
    NewAndUnparked,
    /// Every input is new. The inbox statement fails if an aggregate is parked.
    New,
    /// Nothing: the inbox says of each input whether it is new, and whether an aggregate is parked.
    Nothing,
}

impl Optimism {
    pub(crate) fn assumes_new(self) -> bool {
        self != Self::Nothing
    }
}

/// One attempt at a batch, from its first statement to its commit.
pub(crate) struct BatchContext<'a, P: Participant> {
    pub(crate) engine: &'a Engine<P>,
    pub(crate) batch: Batch<'a, P>,
    pub(crate) optimism: Optimism,
    /// What the transaction relies on.
    pub(crate) ownership: Ownership,
    pub(crate) tx: Tx,
    /// What is applied, and what is parked.
    pub(crate) sorted: Sorted,
    /// Rows of the outbox that this transaction deletes.
    pub(crate) sent: SentRows,
}
