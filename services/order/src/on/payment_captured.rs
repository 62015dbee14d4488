//! PaymentCaptured → nothing
//!
//! Clears the deadline of the payment.

use contracts::PaymentCaptured;

use crate::{Alarm, Out, Stage, World};

pub(crate) fn react(world: &mut World, event: &PaymentCaptured, out: &mut Out) {
    if let Some(order) = world.open(event.order_id) {
        order.reached(Stage::Paid);
        out.clear_alarm(event.order_id, Alarm::PaymentDeadline);
    }
}
