//! StockReserved → *charge (PaymentCaptured | PaymentDeclined)
//!
//! Brings the go-ahead. Requests the charge if the amount is known already.

use contracts::StockReserved;

use crate::{Out, Payment, State, World};

pub(crate) fn react(world: &mut World, event: &StockReserved, out: &mut Out) {
    match world.payments.get_mut(&event.order_id) {
        None if quintet::inject_bug!(OrderAssumed) => {}
        None => world.payments.put(Payment::new(event.order_id, State::HasGo)),
        Some(payment) if payment.state == State::HasAmount => payment.charge(out),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{
        Applied, apply, assert_ignored, assert_repeat_ignored, charge, ending, every_world,
        order_id, payment, placed, stock_reserved, unknown, world_in, worlds_except,
    };

    #[test]
    fn the_go_ahead_for_an_unknown_order_is_stored_and_nothing_is_charged_yet() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, stock_reserved()), Applied::nothing());
        assert_eq!(payment(&world), Some(&Payment::new(order_id(), State::HasGo)));
    }

    #[test]
    fn an_order_whose_amount_is_known_is_charged() {
        let mut world = world_in(State::HasAmount);
        let before = payment(&world).cloned().unwrap();
        assert_eq!(apply(&mut world, stock_reserved()), Applied::request(charge()));
        assert_eq!(payment(&world), Some(&Payment { state: State::Charging, ..before }));
    }

    #[test]
    fn in_every_state_but_has_amount_nothing_happens() {
        for world in worlds_except(&[State::HasAmount]) {
            assert_ignored(&world, stock_reserved());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), stock_reserved);
    }

    #[test]
    fn an_order_is_charged_once_however_often_amount_and_go_ahead_come() {
        for story in [
            [placed(), stock_reserved(), placed(), stock_reserved()],
            [stock_reserved(), placed(), stock_reserved(), placed()],
            [placed(), placed(), stock_reserved(), stock_reserved()],
            [stock_reserved(), stock_reserved(), placed(), placed()],
        ] {
            assert_eq!(ending(story).followed, Applied::request(charge()));
        }
    }
}
