use event::{EventType, derived};
use uuid::Uuid;

use crate::contract::AGGREGATE;

/// Something that comes to a service.
#[derive(Debug, Clone, Copy)]
pub enum Says<T> {
    /// An event of the aggregate.
    Event(T),
    /// An event of another aggregate, which wants the same.
    OfAnother(T),
    /// A command, by its place among those of the service.
    Command(usize),
    /// An answer to the one request that has none, by its place among the possible answers.
    Answer(usize),
    /// An alarm.
    Ring(&'static str),
}

/// Two inputs that come to two replicas at once, after others.
#[derive(Debug, Clone, Copy)]
pub struct AtOnce<T: 'static> {
    /// What has come before.
    pub before: &'static [Says<T>],
    /// What comes to the one replica.
    pub one: Says<T>,
    /// What comes to the other.
    pub other: Says<T>,
}

impl<T: EventType> Says<T> {
    /// The id of the input, but for answers.
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
