//! PaymentDeclined → OrderCancelled
//!
//! This is a cause for cancellation, and it settles the money: nothing was charged. The end waits for the stock.

use contracts::{CancelReason, PaymentDeclined};

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &PaymentDeclined, out: &mut Out) {
    world.unwind(event.order_id, out, |order| {
        order.caused_by(CancelReason::PaymentDeclined);
        order.money_settled = true;
    });
}
