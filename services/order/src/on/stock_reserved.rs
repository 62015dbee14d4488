//! StockReserved → nothing

use contracts::StockReserved;

use crate::{Stage, World};

pub(crate) fn react(world: &mut World, event: &StockReserved) {
    if let Some(order) = world.open(event.order_id) {
        order.reached(Stage::Reserved);
    }
}
