//! RetryRefund → *refund (PaymentRefunded)
//!
//! An operator requests a refused refund again.

use contracts::OrderId;

use crate::{Out, State, World};

/// An operator's request to try a refused refund again, under a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryRefund {
    /// The order whose payment it is.
    pub order_id: OrderId,
}

/// The answer to [`RetryRefund`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The refund is requested from the gateway again.
    Retrying,
    /// The payment is in this state, so that there is no refused refund.
    NotRefused(State),
    /// The payment service knows nothing of this order.
    Unknown,
}

/// The route takes no idempotency key, so no response is ever stored. The payment's state reveals a repeat.
impl quintet::Reply for Reply {
    fn stored(&self) -> Option<String> {
        None
    }

    fn restored(_: &str) -> Option<Self> {
        None
    }
}

pub(crate) fn react(world: &mut World, command: RetryRefund, out: &mut Out) {
    let reply = match world.payments.get_mut(&command.order_id) {
        None => Reply::Unknown,
        Some(payment) if payment.state == State::Attention => {
            payment.refund(out);
            Reply::Retrying
        }
        Some(payment) => Reply::NotRefused(payment.state),
    };
    out.reply(reply);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Payment,
        support::{
            Applied, apply, key, payment, refund, refund_refused, retry_refund, unknown, world_in,
            worlds_except,
        },
    };

    #[test]
    fn a_refused_refund_is_requested_again() {
        let mut world = world_in(State::Attention);
        let before = payment(&world).cloned().unwrap();
        let applied = apply(&mut world, retry_refund());
        let reply = Some(Reply::Retrying);
        assert_eq!(applied, Applied { reply, ..Applied::request(refund(2)) });
        let expected = Payment { state: State::Refunding, refund_attempts: 2, ..before };
        assert_eq!(payment(&world), Some(&expected));
    }

    #[test]
    fn every_attempt_has_a_key_of_its_own() {
        let mut world = world_in(State::Attention);
        let mut keys = vec![key(&refund(1))];
        for attempt in [2, 3] {
            let applied = apply(&mut world, retry_refund());
            assert_eq!(applied.requests, [refund(attempt)]);
            keys.extend(applied.requests.iter().map(key));
            apply(&mut world, refund_refused());
        }
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[2] != keys[0], "{keys:?}");
    }

    #[test]
    fn an_unknown_order_is_answered_and_stays_unknown() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, retry_refund()), Applied::reply(Reply::Unknown));
        assert_eq!(payment(&world), None);
    }

    #[test]
    fn in_every_state_but_attention_the_reply_names_the_state_and_nothing_else_happens() {
        for mut world in worlds_except(&[State::Attention]) {
            let before = payment(&world).cloned().unwrap();
            let reply = Reply::NotRefused(before.state);
            assert_eq!(apply(&mut world, retry_refund()), Applied::reply(reply));
            assert_eq!(payment(&world), Some(&before));
        }
    }

    #[test]
    fn a_repeat_requests_no_second_refund() {
        let mut world = world_in(State::Attention);
        apply(&mut world, retry_refund());
        let before = payment(&world).cloned();
        let reply = Reply::NotRefused(State::Refunding);
        assert_eq!(apply(&mut world, retry_refund()), Applied::reply(reply));
        assert_eq!(payment(&world), before.as_ref());
    }
}
