//! StockReserved → *charge (PaymentCaptured | PaymentDeclined)
//!
//! Brings the go: charges if the amount is known already.

use contracts::StockReserved;

use crate::{Out, Payment, State, World};

pub(crate) fn react(world: &mut World, event: &StockReserved, out: &mut Out) {
    match world.payments.get_mut(&event.order_id) {
        None if engine::mistake!(OrderAssumed) => {}
        None => world.payments.put(Payment::new(event.order_id, State::HasGo)),
        Some(payment) if payment.state == State::HasAmount => payment.charge(out),
        Some(_) => {}
    }
}
