//! ShipmentFailed → *refund (PaymentRefunded)

use contracts::ShipmentFailed;

use crate::{Out, State, World};

pub(crate) fn react(world: &mut World, event: &ShipmentFailed, out: &mut Out) {
    let payment = world.payments.get_mut(&event.order_id);
    if let Some(payment) = payment.filter(|payment| payment.state == State::Captured) {
        payment.refund(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Payment,
        support::{
            Applied, apply, assert_ignored, assert_repeat_ignored, cancelled, every_world, payment,
            refund, shipment_failed, unknown, world_in, worlds_except,
        },
    };

    #[test]
    fn captured_money_is_given_back() {
        let mut world = world_in(State::Captured);
        let before = payment(&world).cloned().unwrap();
        assert_eq!(apply(&mut world, shipment_failed()), Applied::request(refund(1)));
        let expected = Payment { state: State::Refunding, refund_attempts: 1, ..before };
        assert_eq!(payment(&world), Some(&expected));
    }

    #[test]
    fn an_unknown_order_stays_unknown() {
        assert_ignored(&unknown(), shipment_failed());
    }

    #[test]
    fn in_every_state_but_captured_nothing_happens() {
        for world in worlds_except(&[State::Captured]) {
            assert_ignored(&world, shipment_failed());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), shipment_failed);
    }

    #[test]
    fn captured_money_is_given_back_once_whether_the_failure_or_the_cancellation_comes_first() {
        for inputs in [[shipment_failed(), cancelled()], [cancelled(), shipment_failed()]] {
            let mut world = world_in(State::Captured);
            let applied = inputs.map(|what| apply(&mut world, what));
            assert_eq!(applied.map(|applied| applied.requests).concat(), [refund(1)]);
        }
    }
}
