//! Lists, replays and discards dead letters for an operator.
//!
//! | file | what it does |
//! |---|---|
//! | `views` | what the answers contain |
//! | `list` | reads queues and postponed inputs; changes nothing |
//! | `replay` | marks a queue for its replay, which [`Replays`](super::Replays) then carries out |
//! | `discard` | deletes dead letters that must never be applied |

mod discard;
mod list;
mod replay;
mod views;

pub use discard::Discarded;
pub use replay::Replaying;
pub use views::{
    DeadLetter, DeadLetterGroup, DeadLetterQueue, DeadLetterQueueSummary, DeadLetters,
    PostponedInput,
};
