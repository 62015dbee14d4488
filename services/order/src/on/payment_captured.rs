//! PaymentCaptured → nothing

use contracts::PaymentCaptured;

use crate::{Stage, World};

pub(crate) fn react(world: &mut World, event: &PaymentCaptured) {
    if let Some(order) = world.open(event.order_id) {
        order.reached(Stage::Paid);
    }
}
