//! OrderCompleted → *mail (NotificationSent | NotificationFailed)

use contracts::{Milestone, OrderCompleted};

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &OrderCompleted, out: &mut Out) {
    world.ended(event.order_id, Milestone::Completed, out);
}
