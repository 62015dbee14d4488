//! StockReleased → OrderCancelled
//!
//! Settles the stock. Topics are not ordered among each other, so this may come before the cause is known.

use contracts::StockReleased;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &StockReleased, out: &mut Out) {
    world.unwind(event.order_id, out, |order| order.stock_settled = true);
}
