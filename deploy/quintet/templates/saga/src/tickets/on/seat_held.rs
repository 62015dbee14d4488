//! SeatHeld → TicketSold | TicketCancelled
//!
//! Sells the ticket if the customer can pay the seat. Otherwise cancels the ticket, so that seats frees the seat.

use quintet::prelude::*;

use crate::{
    contract::{SeatHeld, TicketCancelled, TicketSold},
    tickets::{Out, State, Ticket},
};

pub(crate) fn react(world: &mut Rows<Ticket>, event: &SeatHeld, out: &mut Out) {
    let ticket_id = event.ticket_id;
    let Some(ticket) = world.get_mut(&ticket_id) else {
        return;
    };
    // In every other state the event does nothing, so a repeated event does nothing.
    if ticket.state != State::Requested {
        return;
    }
    if event.price <= ticket.budget {
        ticket.state = State::Sold;
        out.emit(TicketSold { ticket_id });
    } else {
        ticket.state = State::Cancelled;
        out.emit(TicketCancelled { ticket_id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::Event,
        support::{apply, ticket_id},
        tickets::{RequestTicket, Tickets},
    };

    /// Rows after a customer with this budget has requested a ticket.
    fn requested(budget: i64) -> Rows<Ticket> {
        let (ticket_id, show) = (ticket_id(), "Hamlet".to_owned());
        let mut world = Rows::absent([ticket_id]);
        let command = RequestTicket {
            ticket_id,
            show,
            budget,
        };
        apply::<Tickets>(&mut world, What::Command(command));
        world
    }

    /// The event that a seat for 40 euros is held.
    fn held() -> What<Tickets> {
        let ticket_id = ticket_id();
        What::Event(Event::SeatHeld(SeatHeld {
            ticket_id,
            price: 40,
        }))
    }

    fn state(world: &Rows<Ticket>) -> Option<State> {
        world.get(&ticket_id()).map(|ticket| ticket.state)
    }

    #[test]
    fn a_ticket_within_the_budget_is_sold() {
        let mut world = requested(40);
        let ticket_id = ticket_id();
        assert_eq!(apply(&mut world, held()), [TicketSold { ticket_id }.into()]);
        assert_eq!(state(&world), Some(State::Sold));
    }

    #[test]
    fn a_ticket_above_the_budget_is_cancelled() {
        let mut world = requested(39);
        let ticket_id = ticket_id();
        assert_eq!(
            apply(&mut world, held()),
            [TicketCancelled { ticket_id }.into()]
        );
        assert_eq!(state(&world), Some(State::Cancelled));
    }

    #[test]
    fn a_repeated_event_does_nothing() {
        let mut world = requested(40);
        apply(&mut world, held());
        assert_eq!(apply(&mut world, held()), []);
        assert_eq!(state(&world), Some(State::Sold));
    }
}
