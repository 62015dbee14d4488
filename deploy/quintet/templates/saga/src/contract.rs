//! The contract: all events by which the services talk to each other.
//!
//! Every event has a JSON Schema and an example in `schemas/`. A test compares them with this file.

use serde::{Deserialize, Serialize};

quintet::ids! {
    /// A ticket, and the key of all events. Events of one ticket keep their order within a topic.
    TicketId;
}

quintet::contract! {
    /// The events about tickets.
    pub enum Event: EventType;
    namespace "my-saga";
    key ticket_id: TicketId;
    schemas "schemas";
    compacted;
    payloads(Clone, Debug, PartialEq, Eq, Serialize, Deserialize);

    /// A customer wants to see a show.
    TicketRequested by "tickets" on "tickets" in "ticket_requested": 1 {
        /// The ticket.
        ticket_id: TicketId,
        /// Which show.
        show: String,
        /// What the customer pays at most, in euros.
        budget: i64,
    }

    /// A seat is held for the ticket.
    SeatHeld by "seats" on "seats" in "seat_held": 1 {
        /// The ticket.
        ticket_id: TicketId,
        /// What it costs, in euros.
        price: i64,
    }

    /// The customer has the ticket, and pays for the seat.
    TicketSold by "tickets" on "tickets" in "ticket_sold": 1 {
        /// The ticket.
        ticket_id: TicketId,
    }

    /// The seat costs too much: there is no ticket.
    TicketCancelled by "tickets" on "tickets" in "ticket_cancelled": 1 {
        /// The ticket.
        ticket_id: TicketId,
    }
}
