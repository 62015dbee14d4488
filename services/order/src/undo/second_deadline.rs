//! @second_deadline → nothing
//!
//! A service has not answered for too long: an operator has to look.

use contracts::OrderId;

use crate::World;

pub(crate) fn react(world: &mut World, order_id: OrderId) {
    if let Some(order) = world.open(order_id) {
        order.needs_attention = true;
    }
}
