//! OrderCancelled → nothing
//!
//! Closes a payment that still waits for the amount or the go-ahead: without this, the row would wait for ever.

use contracts::OrderCancelled;

use crate::{Payment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderCancelled) {
    match world.payments.get_mut(&event.order_id) {
        None => world.payments.put(Payment::new(event.order_id, State::Closed)),
        Some(payment) => {
            if let State::HasAmount | State::HasGo = payment.state {
                payment.state = State::Closed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{
        Applied, apply, assert_ignored, assert_repeat_ignored, cancelled, ending, every_world,
        order_id, payment, placed, shipment_voided, stock_reserved, unknown, world_in,
        worlds_except,
    };

    #[test]
    fn the_payment_of_an_unknown_order_is_closed() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, cancelled()), Applied::nothing());
        assert_eq!(payment(&world), Some(&Payment::new(order_id(), State::Closed)));
    }

    #[test]
    fn a_payment_that_waits_for_amount_or_go_ahead_is_closed() {
        for state in [State::HasAmount, State::HasGo] {
            let mut world = world_in(state);
            let before = payment(&world).cloned().unwrap();
            assert_eq!(apply(&mut world, cancelled()), Applied::nothing());
            assert_eq!(payment(&world), Some(&Payment { state: State::Closed, ..before }));
        }
    }

    #[test]
    fn a_payment_that_waits_for_neither_stays_as_it_is() {
        for world in worlds_except(&[State::HasAmount, State::HasGo]) {
            assert_ignored(&world, cancelled());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), cancelled);
    }

    #[test]
    fn an_order_cancelled_before_amount_and_go_ahead_are_known_is_never_charged() {
        for story in [
            [cancelled(), placed(), stock_reserved()],
            [cancelled(), stock_reserved(), placed()],
            [placed(), cancelled(), stock_reserved()],
            [stock_reserved(), cancelled(), placed()],
        ] {
            let ending = ending(story);
            assert_eq!(ending.payment.map(|payment| payment.state), Some(State::Closed));
            assert_eq!(ending.followed, Applied::nothing());
        }
    }

    #[test]
    fn whichever_of_cancellation_and_void_comes_first_decides_the_state() {
        for (story, state) in [
            ([placed(), cancelled(), shipment_voided()], State::Closed),
            ([placed(), shipment_voided(), cancelled()], State::Voided),
        ] {
            assert_eq!(ending(story).payment.map(|payment| payment.state), Some(state));
        }
    }
}
