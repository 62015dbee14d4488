//! OrderPlaced → *book (ShipmentDispatched | ShipmentFailed)
//!
//! Brings the address: books if the payment is known already.

use contracts::OrderPlaced;
use store::Json;

use crate::{Out, Shipment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderPlaced, out: &mut Out) {
    let with_address = |shipment: &mut Shipment| {
        shipment.address = Some(Json(event.shipping_address.clone()));
        shipment.items = Some(Json(event.items.clone()));
    };
    match world.shipments.get_mut(&event.order_id) {
        None => {
            let mut shipment = Shipment::new(event.order_id, State::HasAddress);
            with_address(&mut shipment);
            world.shipments.put(shipment);
        }
        Some(shipment) if shipment.state == State::HasPaid => {
            with_address(shipment);
            shipment.book(out);
        }
        Some(_) => {}
    }
}
