//! ShipmentVoided → PaymentVoided | *refund (PaymentRefunded)
//!
//! Nothing will be shipped. What was not charged is voided, also before payment has heard of the
//! order; what is being charged is given back once the gateway has answered.

use contracts::{PaymentVoided, ShipmentVoided};

use crate::{Out, Payment, State, World};

pub(crate) fn react(world: &mut World, event: &ShipmentVoided, out: &mut Out) {
    let order_id = event.order_id;
    match world.payments.get_mut(&order_id) {
        None => {
            world.payments.put(Payment::new(order_id, State::Voided));
            out.emit(PaymentVoided { order_id });
        }
        Some(payment) => match payment.state {
            State::HasAmount | State::HasGo => {
                payment.state = State::Voided;
                out.emit(PaymentVoided { order_id });
            }
            State::Charging if engine::mistake!(UndoForgotten) => {}
            State::Charging => payment.state = State::ChargingUndo,
            State::Captured => payment.refund(out),
            _ => {}
        },
    }
}
