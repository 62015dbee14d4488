//! *charge → PaymentCaptured | PaymentDeclined | *refund (PaymentRefunded)
//!
//! Money that was captured for an order that came to nothing meanwhile goes back at once.

use contracts::{OrderId, PaymentCaptured, PaymentDeclined};

use crate::{Out, State, World, effects::ChargeAnswer};

pub(crate) fn react(world: &mut World, order_id: OrderId, answer: &ChargeAnswer, out: &mut Out) {
    let Some(payment) = world.payments.get_mut(&order_id) else { return };
    let (State::Charging | State::ChargingUndo) = payment.state else { return };
    match answer {
        ChargeAnswer::Captured { reference } => {
            payment.charge = Some(reference.clone());
            if payment.state == State::ChargingUndo {
                payment.refund(out);
            } else if let Some(amount) = payment.amount() {
                payment.state = State::Captured;
                out.emit(PaymentCaptured { order_id, amount, reference: reference.clone() });
            }
        }
        ChargeAnswer::Declined { reason } => {
            payment.state = State::Declined;
            payment.reason = Some(reason.clone());
            out.emit(PaymentDeclined { order_id, reason: reason.clone() });
        }
    }
}
