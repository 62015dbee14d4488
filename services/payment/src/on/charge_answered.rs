//! *charge → PaymentCaptured | PaymentDeclined | *refund (PaymentRefunded)
//!
//! If the order was cancelled in the meantime, captured money goes back at once.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Payment,
        support::{
            Applied, amount, apply, assert_ignored, assert_repeat_ignored, charge_captured,
            charge_declined, ending, every_world, order_id, payment, placed, refund,
            shipment_voided, stock_reserved, unknown, world_in, worlds_except,
        },
    };

    #[test]
    fn a_captured_charge_is_published() {
        let mut world = world_in(State::Charging);
        let before = payment(&world).cloned().unwrap();
        let captured =
            PaymentCaptured { order_id: order_id(), amount: amount(), reference: "ch_1".into() };
        assert_eq!(apply(&mut world, charge_captured()), Applied::event(captured));
        let charge = Some("ch_1".into());
        assert_eq!(payment(&world), Some(&Payment { state: State::Captured, charge, ..before }));
    }

    #[test]
    fn money_captured_for_a_cancelled_order_goes_back_and_is_not_published() {
        let mut world = world_in(State::ChargingUndo);
        let before = payment(&world).cloned().unwrap();
        assert_eq!(apply(&mut world, charge_captured()), Applied::request(refund(1)));
        let charge = Some("ch_1".into());
        let expected = Payment { state: State::Refunding, charge, refund_attempts: 1, ..before };
        assert_eq!(payment(&world), Some(&expected));
    }

    #[test]
    fn a_declined_charge_is_published_even_if_the_order_was_cancelled_meanwhile() {
        for state in [State::Charging, State::ChargingUndo] {
            let mut world = world_in(state);
            let before = payment(&world).cloned().unwrap();
            let declined = PaymentDeclined { order_id: order_id(), reason: "card expired".into() };
            assert_eq!(apply(&mut world, charge_declined()), Applied::event(declined));
            let reason = Some("card expired".into());
            let expected = Payment { state: State::Declined, reason, ..before };
            assert_eq!(payment(&world), Some(&expected));
        }
    }

    #[test]
    fn an_answer_about_an_unknown_order_is_ignored() {
        assert_ignored(&unknown(), charge_captured());
        assert_ignored(&unknown(), charge_declined());
    }

    #[test]
    fn an_answer_is_ignored_in_a_state_without_a_pending_charge() {
        for world in worlds_except(&[State::Charging, State::ChargingUndo]) {
            assert_ignored(&world, charge_captured());
            assert_ignored(&world, charge_declined());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), charge_captured);
        assert_repeat_ignored(every_world(), charge_declined);
    }

    #[test]
    fn captured_money_goes_back_once_whether_the_void_comes_before_or_after_the_answer() {
        let before = ending([placed(), stock_reserved(), shipment_voided(), charge_captured()]);
        let after = ending([placed(), stock_reserved(), charge_captured(), shipment_voided()]);
        assert_eq!(before.payment, after.payment);
        assert_eq!(before.followed.requests, after.followed.requests);
        assert_eq!(before.followed.requests[1..], [refund(1)]);
        assert_eq!(before.followed.events, []);
    }

    #[test]
    fn a_declined_charge_ends_the_same_whether_the_void_comes_before_or_after_the_answer() {
        let before = ending([placed(), stock_reserved(), shipment_voided(), charge_declined()]);
        assert_eq!(before.payment.as_ref().map(|payment| payment.state), Some(State::Declined));
        let after = ending([placed(), stock_reserved(), charge_declined(), shipment_voided()]);
        assert_eq!(after, before);
    }
}
