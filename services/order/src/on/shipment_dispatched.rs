//! ShipmentDispatched → OrderCompleted
//!
//! Completes the order at any stage, even if its cancellation was requested: the parcel is on its way.

use contracts::ShipmentDispatched;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &ShipmentDispatched, out: &mut Out) {
    world.complete(event.order_id, out);
}
