//! PaymentDeclined → StockReleased

use contracts::PaymentDeclined;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &PaymentDeclined, out: &mut Out) {
    world.release(event.order_id, out);
}
