//! PaymentVoided → OrderCancelled
//!
//! The money's side is settled; counts also before the cause is known.

use contracts::PaymentVoided;

use crate::{Out, World};

pub(crate) fn react(world: &mut World, event: &PaymentVoided, out: &mut Out) {
    world.unwind(event.order_id, out, |order| order.money_settled = true);
}
