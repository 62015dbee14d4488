//! PaymentCaptured → *book (ShipmentDispatched | ShipmentFailed)
//!
//! Brings the go: books if the address is known already.

use contracts::PaymentCaptured;

use crate::{Out, Shipment, State, World};

pub(crate) fn react(world: &mut World, event: &PaymentCaptured, out: &mut Out) {
    match world.shipments.get_mut(&event.order_id) {
        None => world.shipments.put(Shipment::new(event.order_id, State::HasPaid)),
        Some(shipment) if shipment.state == State::HasAddress => shipment.book(out),
        Some(_) => {}
    }
}
