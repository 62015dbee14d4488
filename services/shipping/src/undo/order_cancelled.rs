//! OrderCancelled → nothing
//!
//! Closes a shipment that still waits for the address or the payment: without this, the row would wait for ever.

use contracts::OrderCancelled;

use crate::{Shipment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderCancelled) {
    match world.shipments.get_mut(&event.order_id) {
        None => world.shipments.put(Shipment::new(event.order_id, State::Closed)),
        Some(_) if quintet::inject_bug!(LeftWaiting) => {}
        Some(shipment) => {
            if let State::HasAddress | State::HasPaid = shipment.state {
                shipment.state = State::Closed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{
        Applied, apply, assert_ignored, assert_repeat_ignored, cancellation_requested, cancelled,
        captured, ending, every_world, order_id, placed, shipment, unknown, world_in,
        worlds_except,
    };

    #[test]
    fn the_shipment_of_an_unknown_order_is_closed() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, cancelled()), Applied::nothing());
        assert_eq!(shipment(&world), Some(&Shipment::new(order_id(), State::Closed)));
    }

    #[test]
    fn a_shipment_that_waits_for_address_or_payment_is_closed() {
        for state in [State::HasAddress, State::HasPaid] {
            let mut world = world_in(state);
            let before = shipment(&world).cloned().unwrap();
            assert_eq!(apply(&mut world, cancelled()), Applied::nothing());
            assert_eq!(shipment(&world), Some(&Shipment { state: State::Closed, ..before }));
        }
    }

    #[test]
    fn a_shipment_that_waits_for_neither_stays_as_it_is() {
        for world in worlds_except(&[State::HasAddress, State::HasPaid]) {
            assert_ignored(&world, cancelled());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), cancelled);
    }

    #[test]
    fn an_order_cancelled_before_address_and_payment_are_known_is_never_booked() {
        for story in [
            [cancelled(), placed(), captured()],
            [cancelled(), captured(), placed()],
            [placed(), cancelled(), captured()],
            [captured(), cancelled(), placed()],
        ] {
            let ending = ending(story);
            assert_eq!(ending.shipment.map(|shipment| shipment.state), Some(State::Closed));
            assert_eq!(ending.followed, Applied::nothing());
        }
    }

    #[test]
    fn whichever_of_cancellation_and_request_comes_first_decides_the_state() {
        for (story, state, published) in [
            ([placed(), cancelled(), cancellation_requested()], State::Closed, 0),
            ([placed(), cancellation_requested(), cancelled()], State::Voided, 1),
        ] {
            let ending = ending(story);
            assert_eq!(ending.shipment.map(|shipment| shipment.state), Some(state));
            assert_eq!(ending.followed.events.len(), published);
        }
    }
}
