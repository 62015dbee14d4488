//! CancelOrder → OrderCancellationRequested
//!
//! The customer requests the cancellation. Shipping decides; the order may still complete.

use contracts::{CancelReason, OrderId};

use crate::{Out, Reply, World};

/// A customer's request to cancel an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelOrder {
    /// The order.
    pub order_id: OrderId,
}

pub(crate) fn react(world: &mut World, command: CancelOrder, out: &mut Out) {
    let order_id = command.order_id;
    world.request_cancellation(order_id, CancelReason::CustomerRequest, out);
    let reply = match world.orders.get(&order_id) {
        None => Reply::Unknown,
        Some(order) => match order.ended {
            Some(end) => Reply::Ended(end),
            None => Reply::Order(Box::new(order.clone())),
        },
    };
    out.reply(reply);
}
