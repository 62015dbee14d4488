//! ShipmentFailed → StockReleased

use contracts::ShipmentFailed;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &ShipmentFailed, out: &mut Out) {
    world.release(event.order_id, out);
}
