//! CancelOrder → OrderCancellationRequested
//!
//! The customer's wish. Shipping decides; the order may still end completed.

use contracts::{CancelReason, OrderId};

use crate::{Out, Reply, World};

/// A customer wants an order cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelOrder {
    /// This one.
    pub order_id: OrderId,
}

pub(crate) fn react(world: &mut World, command: CancelOrder, out: &mut Out) {
    let order_id = command.order_id;
    world.request_cancellation(order_id, CancelReason::CustomerRequest, out);
    let reply = match world.orders.get(&order_id) {
        None => Reply::Unknown,
        Some(order) => match order.ended {
            Some(end) => Reply::Ended(end),
            None => Reply::Order(Box::new(order.into())),
        },
    };
    out.reply(reply);
}
