//! TicketSold → nothing

use quintet::prelude::*;

use crate::{
    contract::TicketSold,
    seats::{Seat, State},
};

pub(crate) fn react(world: &mut Rows<Seat>, event: &TicketSold) {
    match world.get_mut(&event.ticket_id) {
        Some(seat) if seat.state == State::Held => seat.state = State::Sold,
        _ => {}
    }
}
