//! @payment_deadline → OrderCancellationRequested
//!
//! Requests the cancellation of an order that is not paid, so that its stock can be sold to others. Always sets the
//! first deadline, because an order has one deadline at a time and that one comes next.

use contracts::{CancelReason, OrderId};
use jiff::Timestamp;

use crate::{Alarm, Out, Stage, World};

pub(crate) fn react(world: &mut World, order_id: OrderId, now: Timestamp, out: &mut Out) {
    let Some(order) = world.open(order_id) else { return };
    let age = now.duration_since(order.placed_at).try_into().unwrap_or_default();
    if order.stage < Stage::Paid {
        world.request_cancellation(order_id, CancelReason::Deadline, out);
    }
    out.set_alarm(order_id, Alarm::FirstDeadline, world.policy.first.saturating_sub(age));
}
