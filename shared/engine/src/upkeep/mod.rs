//! Tasks that keep a running service in order, and the requests of operators.
//!
//! | file | what it does |
//! |---|---|
//! | [`status`] | how much waits, and for how long |
//! | [`readiness`] | whether the service can work |
//! | [`dead_letters`] | dead-letter queues: lists, replays and discards them |
//! | [`effects`] | requests to the outside world: lists, retries and resolves them |
//! | [`prune`] | deletes inbox ids that no record can bring again |
//! | [`keys`] | deletes responses whose idempotency window is over |
//! | [`partitions`] | the partition registry: where the consumer group has had an offset |

mod dead_letters;
mod effects;
pub(crate) mod keys;
pub(crate) mod partitions;
pub(crate) mod prune;
mod readiness;
mod status;

pub use dead_letters::{
    DeadLetter, DeadLetterGroup, DeadLetterQueue, DeadLetterQueueSummary, DeadLetters, Discarded,
    PostponedInput, Replaying,
};
pub use effects::{EffectPage, EffectView, ResolveError};
pub use prune::{PruneError, Pruner};
pub use status::{Queues, Status};
