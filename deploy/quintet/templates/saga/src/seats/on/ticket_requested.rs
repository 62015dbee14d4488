//! TicketRequested → SeatHeld

use quintet::prelude::*;

use crate::{
    contract::{SeatHeld, TicketRequested},
    seats::{Out, Seat, State},
};

/// The price of every seat, in euros.
const PRICE: i64 = 40;

pub(crate) fn react(world: &mut Rows<Seat>, event: &TicketRequested, out: &mut Out) {
    let (ticket_id, price) = (event.ticket_id, PRICE);
    if world.get(&ticket_id).is_some() {
        return;
    }
    world.put(Seat {
        ticket_id,
        state: State::Held,
        price,
    });
    out.emit(SeatHeld { ticket_id, price });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::Event,
        seats::Seats,
        support::{apply, ticket_id},
    };

    fn requested() -> What<Seats> {
        What::Event(Event::TicketRequested(TicketRequested {
            ticket_id: ticket_id(),
            show: "Hamlet".to_owned(),
            budget: 50,
        }))
    }

    #[test]
    fn a_repeated_request_holds_no_second_seat() {
        let ticket_id = ticket_id();
        let mut world = Rows::absent([ticket_id]);
        let held = SeatHeld {
            ticket_id,
            price: PRICE,
        };
        assert_eq!(apply(&mut world, requested()), [held.into()]);
        assert_eq!(apply(&mut world, requested()), []);
    }
}
