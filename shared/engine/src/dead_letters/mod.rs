//! Dead letters: records that could not be applied, and the records that wait behind them.
//!
//! A *dead letter* is a record that the service took from its topic and did not apply. The dead letters of
//! one aggregate wait in its *dead-letter queue*, in the order of their arrival. A record that names no
//! aggregate has a queue to itself. As long as an aggregate has a queue, the aggregate is *parked*: each of
//! its events joins the queue, from whichever topic it comes. So no event overtakes an earlier one of its partition. An
//! operator has a queue replayed, or discards its dead letters. If the broker delivers a discarded record once more, it is
//! treated as a new one.
//!
//! Commands, outcomes and alarms of a parked aggregate are still applied. They have no order with its events: a
//! customer's command, a provider's answer and a deadline may come at any time. An outcome or an alarm that cannot be
//! applied does not become a dead letter: it stays in its own table and is tried again after a pause.
//!
//! | file | what it does | when it runs |
//! |---|---|---|
//! | `poison` | notes what in a batch cannot be applied | before a batch, and after an attempt that failed |
//! | `sort` | decides which inputs are applied and which join a queue | in each batch, after the inbox |
//! | `queues` | locks queues, and writes their changes | in `sort`, in `replay`, and when an operator discards |
//! | `postponed` | puts off outcomes and alarms that cannot be applied | in each batch, after the reactions |
//! | `replay` | reads the queues that an operator wants replayed | in a loop of its own |
//! | `dead_letter` | the row of a dead letter | with all of the above |
//!
//! What an operator does with dead letters is in `upkeep/dead_letters`.

pub(crate) mod dead_letter;
mod poison;
mod postponed;
pub(crate) mod queues;
mod replay;
mod sort;

pub use dead_letter::Raw;
pub use poison::{Poison, Unreadable};
pub(crate) use postponed::postpone;
pub use replay::Replays;
pub(crate) use sort::{Entered, Sorted, sort};
