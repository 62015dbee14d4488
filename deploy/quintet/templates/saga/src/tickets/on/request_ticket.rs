//! RequestTicket → TicketRequested

use quintet::{axum::http::StatusCode, http::CommandResponse, prelude::*};

use crate::{
    contract::{TicketId, TicketRequested},
    tickets::{Out, State, Ticket},
};

/// The command by which a customer requests a ticket.
#[derive(Debug, Clone)]
pub struct RequestTicket {
    /// The ticket's id. The HTTP handler draws it, because a reaction has no randomness.
    pub ticket_id: TicketId,
    /// Which show.
    pub show: String,
    /// What the customer pays at most, in euros.
    pub budget: i64,
}

pub(crate) fn react(world: &mut Rows<Ticket>, command: &RequestTicket, out: &mut Out) {
    let RequestTicket {
        ticket_id,
        show,
        budget,
    } = command.clone();
    let ticket = Ticket {
        ticket_id,
        state: State::Requested,
        show: show.clone(),
        budget,
    };
    let response = CommandResponse::new(StatusCode::ACCEPTED, &ticket);
    out.reply(response.at(format!("/tickets/{ticket_id}")));
    world.put(ticket);
    out.emit(TicketRequested {
        ticket_id,
        show,
        budget,
    });
}
