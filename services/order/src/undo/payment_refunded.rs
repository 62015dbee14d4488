//! PaymentRefunded → OrderCancelled
//!
//! Settles the money. Topics are not ordered among each other, so this may come before the cause is known.

use contracts::PaymentRefunded;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &PaymentRefunded, out: &mut Out) {
    world.unwind(event.order_id, out, |order| order.money_settled = true);
}
