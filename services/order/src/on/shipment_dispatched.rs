//! ShipmentDispatched → OrderCompleted
//!
//! At any stage, and even where cancellation was requested: the parcel is on its way.

use contracts::ShipmentDispatched;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &ShipmentDispatched, out: &mut Out) {
    world.complete(event.order_id, out);
}
