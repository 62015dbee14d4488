//! @payment_deadline → OrderCancellationRequested
//!
//! What is reserved for an order that is not paid can be sold to others.

use contracts::{CancelReason, OrderId};

use crate::{Out, Stage, World};

pub(crate) fn react(world: &mut World, order_id: OrderId, out: &mut Out) {
    if world.open(order_id).is_some_and(|order| order.stage < Stage::Paid) {
        world.request_cancellation(order_id, CancelReason::Deadline, out);
    }
}
