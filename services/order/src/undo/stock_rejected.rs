//! StockRejected → OrderCancelled
//!
//! This alone ends the order: nothing was reserved, so nothing was charged.

use contracts::{CancelReason, StockRejected};

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &StockRejected, out: &mut Out) {
    if let Some(order) = world.open(event.order_id) {
        order.caused_by(CancelReason::OutOfStock);
        let reason = order.cause.unwrap_or(CancelReason::OutOfStock);
        world.cancel(event.order_id, reason, out);
    }
}
