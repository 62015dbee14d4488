//! TicketCancelled → nothing
//!
//! Frees the seat. Without this reaction, the simulation finds a seat that is held for ever.

use quintet::prelude::*;

use crate::{
    contract::TicketCancelled,
    seats::{Seat, State},
};

pub(crate) fn react(world: &mut Rows<Seat>, event: &TicketCancelled) {
    match world.get_mut(&event.ticket_id) {
        Some(seat) if seat.state == State::Held => seat.state = State::Freed,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::Event,
        seats::Seats,
        support::{apply, ticket_id},
    };

    /// Rows with one seat in this state.
    fn seat_in(state: State) -> Rows<Seat> {
        let ticket_id = ticket_id();
        let mut world = Rows::absent([ticket_id]);
        world.put(Seat {
            ticket_id,
            state,
            price: 40,
        });
        world
    }

    #[test]
    fn only_a_seat_that_is_held_is_freed() {
        for (before, after) in [
            (State::Held, State::Freed),
            (State::Freed, State::Freed),
            (State::Sold, State::Sold),
        ] {
            let (mut world, ticket_id) = (seat_in(before), ticket_id());
            let cancelled = Event::TicketCancelled(TicketCancelled { ticket_id });
            assert_eq!(apply::<Seats>(&mut world, What::Event(cancelled)), []);
            let state = world.get(&ticket_id).map(|seat| seat.state);
            assert_eq!(state, Some(after));
        }
    }
}
