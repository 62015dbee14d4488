//! What the tests of reactions share.

use quintet::{jiff::Timestamp, prelude::*, uuid::Uuid};

use crate::contract::{Event, TicketId};

/// The ticket that tests are about.
pub(crate) fn ticket_id() -> TicketId {
    Uuid::from_u128(1).into()
}

/// Applies one input to the rows of a service, and returns which events follow.
pub(crate) fn apply<S: Participant<Contract = Event>>(
    world: &mut S::World,
    what: What<S>,
) -> Vec<Event> {
    let (cause, at) = (Uuid::from_u128(7), Timestamp::UNIX_EPOCH);
    let mut out = Reaction::new(cause, at);
    let trace = Trace::default();
    let input = Input {
        cause,
        at,
        trace,
        what,
    };
    S::react(world, &input, &mut out);
    out.events().cloned().collect()
}
