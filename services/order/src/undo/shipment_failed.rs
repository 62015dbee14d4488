//! ShipmentFailed → OrderCancelled
//!
//! This is a cause for cancellation. The end waits for stock and money.

use contracts::{CancelReason, ShipmentFailed};

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &ShipmentFailed, out: &mut Out) {
    world.unwind(event.order_id, out, |order| order.caused_by(CancelReason::ShipmentFailed));
}
