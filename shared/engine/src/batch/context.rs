//! What the stages of one attempt at a batch share.

use jiff::Timestamp;
use store::Tx;

use crate::{
    Engine, Participant, Poison, Work,
    dead_letters::Sorted,
    outbox::{Ownership, SentRows},
    telemetry::BatchSpans,
};

/// A batch as the retry loop hands it over. Its inputs are the same at each attempt; its poison may grow.
pub(crate) struct Batch<'a, P: Participant> {
    pub(crate) works: &'a [Work<P>],
    /// The inputs that cannot be applied, and the unreadable records that came with the batch.
    pub(crate) poison: &'a Poison,
    /// The wall clock when the retry loop handed the batch over: the time of all that this attempt stores.
    pub(crate) now: Timestamp,
    pub(crate) spans: &'a BatchSpans,
}

impl<P: Participant> Clone for Batch<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Participant> Copy for Batch<'_, P> {}

/// The assumptions of an attempt. The reactions run before the database has confirmed them. A wrong assumption fails
/// the transaction at the latest at COMMIT, and the batch runs again without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimism {
    /// Every input is new, and no aggregate is parked: this process alone can park one, and would know.
    NewAndUnparked,
    /// Every input is new. The inbox statement checks that, and that no aggregate is parked, if it has an id to enter.
    New,
    /// Nothing: the attempt waits for the inbox, which says of each input whether it is new. If a new id is entered,
    /// the answer also says whether an aggregate is parked.
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
    /// The ownership of the outbox that the transaction relies on.
    pub(crate) ownership: Ownership,
    pub(crate) tx: Tx,
    /// Which inputs are applied, and which are parked.
    pub(crate) sorted: Sorted,
    /// Rows of the outbox that this transaction deletes.
    pub(crate) sent: SentRows,
}
