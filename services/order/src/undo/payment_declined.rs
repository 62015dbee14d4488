//! PaymentDeclined → OrderCancelled
//!
//! A cause, and the money's side is settled: nothing was taken.

use contracts::{CancelReason, PaymentDeclined};

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &PaymentDeclined, out: &mut Out) {
    world.unwind(event.order_id, out, |order| {
        order.caused_by(CancelReason::PaymentDeclined);
        order.money_settled = true;
    });
}
