//! OrderCancelled → nothing
//!
//! Closes what still waits for its other half, or the row would wait for ever.

use contracts::OrderCancelled;

use crate::{Shipment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderCancelled) {
    match world.shipments.get_mut(&event.order_id) {
        None => world.shipments.put(Shipment::new(event.order_id, State::Closed)),
        Some(_) if engine::mistake!(LeftWaiting) => {}
        Some(shipment) => {
            if let State::HasAddress | State::HasPaid = shipment.state {
                shipment.state = State::Closed;
            }
        }
    }
}
