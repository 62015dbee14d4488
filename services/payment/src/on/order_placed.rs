//! OrderPlaced → *charge (PaymentCaptured | PaymentDeclined)
//!
//! Brings the amount: charges if the go is known already.

use contracts::OrderPlaced;

use crate::{Out, Payment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderPlaced, out: &mut Out) {
    let with_amount = |payment: &mut Payment| {
        payment.amount_minor = Some(event.total.amount_minor);
        payment.currency = Some(event.total.currency);
        payment.token = Some(event.payment.token.clone());
    };
    match world.payments.get_mut(&event.order_id) {
        None => {
            let mut payment = Payment::new(event.order_id, State::HasAmount);
            with_amount(&mut payment);
            world.payments.put(payment);
        }
        Some(payment) if payment.state == State::HasGo => {
            with_amount(payment);
            payment.charge(out);
        }
        Some(_) => {}
    }
}
