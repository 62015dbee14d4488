//! *refund → PaymentRefunded
//!
//! A refused refund waits for an operator, because no program may decide what happens to the money.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Payment,
        support::{
            Applied, amount, apply, assert_ignored, assert_repeat_ignored, every_world, order_id,
            payment, refund_refused, refunded, retry_refund, unknown, world_in, worlds_except,
        },
    };

    #[test]
    fn a_refund_is_published() {
        let mut world = world_in(State::Refunding);
        let before = payment(&world).cloned().unwrap();
        let refund_event =
            PaymentRefunded { order_id: order_id(), amount: amount(), reference: "re_1".into() };
        assert_eq!(apply(&mut world, refunded()), Applied::event(refund_event));
        let refund = Some("re_1".into());
        assert_eq!(payment(&world), Some(&Payment { state: State::Refunded, refund, ..before }));
    }

    #[test]
    fn a_refused_refund_waits_for_an_operator_and_is_not_published() {
        let mut world = world_in(State::Refunding);
        let before = payment(&world).cloned().unwrap();
        assert_eq!(apply(&mut world, refund_refused()), Applied::nothing());
        let reason = Some("account closed".into());
        assert_eq!(payment(&world), Some(&Payment { state: State::Attention, reason, ..before }));
    }

    #[test]
    fn a_refund_that_succeeds_at_the_second_attempt_is_published() {
        let mut world = world_in(State::Attention);
        apply(&mut world, retry_refund());
        let refund_event =
            PaymentRefunded { order_id: order_id(), amount: amount(), reference: "re_1".into() };
        assert_eq!(apply(&mut world, refunded()), Applied::event(refund_event));
        assert_eq!(payment(&world).map(|payment| payment.state), Some(State::Refunded));
    }

    #[test]
    fn an_answer_about_an_unknown_order_is_ignored() {
        assert_ignored(&unknown(), refunded());
        assert_ignored(&unknown(), refund_refused());
    }

    #[test]
    fn an_answer_is_ignored_in_a_state_without_a_pending_refund() {
        for world in worlds_except(&[State::Refunding]) {
            assert_ignored(&world, refunded());
            assert_ignored(&world, refund_refused());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), refunded);
        assert_repeat_ignored(every_world(), refund_refused);
    }
}
