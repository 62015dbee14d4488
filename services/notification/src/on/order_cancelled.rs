//! OrderCancelled → *mail (NotificationSent | NotificationFailed)

use contracts::{Milestone, OrderCancelled};

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &OrderCancelled, out: &mut Out) {
    world.ended(event.order_id, Milestone::Cancelled, out);
}
