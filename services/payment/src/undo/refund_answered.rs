//! *refund → PaymentRefunded
//!
//! A refusal is left to an operator: nobody else may decide what becomes of the money.

use contracts::{OrderId, PaymentRefunded};

use crate::{Out, State, World, effects::RefundAnswer};

pub(crate) fn react(world: &mut World, order_id: OrderId, answer: &RefundAnswer, out: &mut Out) {
    let payment = world.payments.get_mut(&order_id);
    let Some(payment) = payment.filter(|payment| payment.state == State::Refunding) else { return };
    match answer {
        RefundAnswer::Refunded { reference } => {
            let Some(amount) = payment.amount() else { return };
            payment.state = State::Refunded;
            payment.refund = Some(reference.clone());
            out.emit(PaymentRefunded { order_id, amount, reference: reference.clone() });
        }
        RefundAnswer::Refused { reason } => {
            payment.state = State::Attention;
            payment.reason = Some(reason.clone());
        }
    }
}
