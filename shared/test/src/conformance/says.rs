//! The inputs of the suite for two replicas.

use event::{EventType, derived};
use uuid::Uuid;

use crate::contract::AGGREGATE;

/// An input of a service.
#[derive(Debug, Clone, Copy)]
pub enum Says<T> {
    /// The example of this event, about the aggregate of all explorations.
    Event(T),
    /// The example of this event, about another aggregate that competes with it for a shared row.
    OfAnother(T),
    /// A command, by its index in [`Described::commands`](crate::Described::commands).
    Command(usize),
    /// An answer to the one request that has none yet, by its index in
    /// [`Described::outcomes`](crate::Described::outcomes).
    Answer(usize),
    /// The alarm of this name.
    Ring(&'static str),
}

/// A case: two inputs that two replicas receive at the same time, after other inputs.
#[derive(Debug, Clone, Copy)]
pub struct AtOnce<T: 'static> {
    /// The inputs before.
    pub before: &'static [Says<T>],
    /// The input of the first replica.
    pub one: Says<T>,
    /// The input of the second replica.
    pub other: Says<T>,
}

impl<T: EventType> Says<T> {
    /// The id of the input. An answer has the id of its request instead.
    pub(super) fn cause(self) -> Uuid {
        let number = |kind| {
            let place = T::ALL.iter().position(|other| *other == kind).unwrap_or_default();
            0x100 + place as u128
        };
        match self {
            Self::Event(kind) => Uuid::from_u128(number(kind)),
            Self::OfAnother(kind) => Uuid::from_u128(0x1_0000 + number(kind)),
            Self::Command(nth) => Uuid::from_u128(0x2_0000 + nth as u128),
            Self::Ring(name) => derived(AGGREGATE, AGGREGATE, name, 1),
            Self::Answer(_) => Uuid::nil(),
        }
    }
}
