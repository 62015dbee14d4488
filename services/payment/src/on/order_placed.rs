//! OrderPlaced → *charge (PaymentCaptured | PaymentDeclined)
//!
//! Brings the amount. Requests the charge if the go-ahead, `StockReserved`, has come already.

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

#[cfg(test)]
mod tests {
    use contracts::Currency;

    use super::*;
    use crate::{
        State,
        support::{
            Applied, apply, assert_ignored, assert_repeat_ignored, charge, ending, every_world,
            order_id, payment, placed, stock_reserved, unknown, world_in, worlds_except,
        },
    };

    /// A payment in this state whose amount is known.
    fn with_amount(state: State) -> Payment {
        Payment {
            amount_minor: Some(1597),
            currency: Some(Currency::EUR),
            token: Some("tok_ok".into()),
            ..Payment::new(order_id(), state)
        }
    }

    #[test]
    fn the_amount_of_a_new_order_is_stored_and_nothing_is_charged_yet() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, placed()), Applied::nothing());
        assert_eq!(payment(&world), Some(&with_amount(State::HasAmount)));
    }

    #[test]
    fn an_order_whose_stock_is_reserved_already_is_charged() {
        let mut world = world_in(State::HasGo);
        assert_eq!(apply(&mut world, placed()), Applied::request(charge()));
        assert_eq!(payment(&world), Some(&with_amount(State::Charging)));
    }

    #[test]
    fn in_every_state_but_has_go_nothing_happens() {
        for world in worlds_except(&[State::HasGo]) {
            assert_ignored(&world, placed());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), placed);
    }

    #[test]
    fn the_charge_is_the_same_whether_the_amount_or_the_go_ahead_comes_first() {
        let amount_first = ending([placed(), stock_reserved()]);
        assert_eq!(amount_first.followed, Applied::request(charge()));
        assert_eq!(ending([stock_reserved(), placed()]), amount_first);
    }
}
