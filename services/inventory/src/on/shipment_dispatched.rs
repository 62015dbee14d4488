//! ShipmentDispatched → nothing
//!
//! What was reserved leaves the shelf.

use contracts::ShipmentDispatched;

use crate::{Product, State, World};

pub(crate) fn react(world: &mut World, event: &ShipmentDispatched) {
    world.end_reservation(event.order_id, State::Shipped, Product::ship);
}
