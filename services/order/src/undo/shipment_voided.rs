//! ShipmentVoided → OrderCancelled
//!
//! This is a cause for cancellation: the request came in time. The end waits for stock and money.

use contracts::{CancelReason, ShipmentVoided};

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &ShipmentVoided, out: &mut Out) {
    world.unwind(event.order_id, out, |order| {
        order.caused_by(order.requested.unwrap_or(CancelReason::CustomerRequest));
    });
}
