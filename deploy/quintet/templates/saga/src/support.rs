//! Helpers for the tests of reactions.

use quintet::{prelude::*, uuid::Uuid};
use quintet_test::react;

use crate::contract::{Event, TicketId};

/// The ticket of the tests.
pub(crate) fn ticket_id() -> TicketId {
    Uuid::from_u128(1).into()
}

/// Applies one input to the rows of a service, and returns the events that it emits.
pub(crate) fn apply<S: Participant<Contract = Event>>(
    world: &mut S::World,
    what: What<S>,
) -> Vec<Event> {
    react(world, what).events().cloned().collect()
}
