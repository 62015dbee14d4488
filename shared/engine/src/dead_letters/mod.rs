//! What cannot be applied, and what came behind it of the same aggregate, until an operator replays
//! or discards it.
//!
//! A *letter* is a record that was taken from its topic and not applied. Letters of an aggregate
//! wait in one *lane*, in the order in which they came; a record that names no aggregate has a lane to
//! itself. As long as a lane is *parked*, every event of its aggregate joins it. Outcomes and alarms pass:
//! one that cannot be applied itself stays in its own table and is tried again now and then.

mod admin;
mod held;
mod lanes;
mod letter;
mod reason;
mod replay;
mod sort;

use bus::Incoming;
use uuid::Uuid;

pub use admin::{DeadLetter, DeadLetters, Discarded, Group, Held, Lane, ParkedLane, Replaying};
pub(crate) use held::put_off;
pub use letter::{Raw, Unreadable};
pub use reason::{Cause, Reason};
pub use replay::Replays;
pub use sort::Parking;
pub(crate) use sort::{Entered, Sorted, sort};

use crate::Metrics;

/// A letter that is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Parked {
    /// Its id in the table.
    pub letter: Uuid,
    /// The lane that it waits in.
    pub lane: Uuid,
    /// How often it was tried, this time included.
    pub attempt: i64,
    /// The record, with the number of the attempt in its header.
    pub record: Incoming,
}

impl Sorted {
    /// Says and counts what was parked, once that is committed.
    pub(crate) fn tell(&self, metrics: &Metrics) {
        for letter in &self.parked {
            metrics.parked(letter.reason.cause);
            let (topic, partition, offset) =
                (&letter.record.topic, letter.record.partition, letter.record.offset);
            let aggregate_id = letter.aggregate.map(tracing::field::display);
            let (lane, why) = (letter.lane, letter.reason.to_string());
            if letter.reason.cause == Cause::Behind {
                tracing::info!(
                    aggregate_id,
                    topic,
                    partition,
                    offset,
                    "an event waits behind a dead letter of its aggregate"
                );
            } else {
                tracing::error!(
                    aggregate_id, %lane, topic, partition, offset, why,
                    "a record cannot be applied: it is parked, and later events of its aggregate too"
                );
            }
        }
        metrics.replayed(self.replayed.len());
    }

    /// How many letters are new.
    pub(crate) fn parked(&self) -> usize {
        self.parked.len()
    }
}
