//! @first_deadline → OrderCancellationRequested
//!
//! Always sets the second deadline, also if a cancellation was requested before: the order has taken too long either
//! way.

use contracts::{CancelReason, OrderId};

use crate::{Alarm, Out, World};

pub(crate) fn react(world: &mut World, order_id: OrderId, out: &mut Out) {
    if world.open(order_id).is_some() {
        world.request_cancellation(order_id, CancelReason::Deadline, out);
        out.set_alarm(order_id, Alarm::SecondDeadline, world.policy.second);
    }
}
