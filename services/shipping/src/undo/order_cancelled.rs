//! OrderCancelled → nothing
//!
//! Closes what still waits for its other half, or the row would wait for ever.

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
    fn an_order_that_is_not_known_yet_is_closed() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, cancelled()), Applied::nothing());
        assert_eq!(shipment(&world), Some(&Shipment::new(order_id(), State::Closed)));
    }

    #[test]
    fn a_shipment_that_waits_for_its_other_half_is_closed() {
        for state in [State::HasAddress, State::HasPaid] {
            let mut world = world_in(state);
            let before = shipment(&world).cloned().unwrap();
            assert_eq!(apply(&mut world, cancelled()), Applied::nothing());
            assert_eq!(shipment(&world), Some(&Shipment { state: State::Closed, ..before }));
        }
    }

    #[test]
    fn a_shipment_that_waits_for_nothing_stays_as_it_is() {
        for world in worlds_except(&[State::HasAddress, State::HasPaid]) {
            assert_ignored(&world, cancelled());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), cancelled);
    }

    #[test]
    fn an_order_cancelled_before_both_halves_are_known_is_never_booked() {
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
    fn of_the_cancellation_and_the_wish_for_it_the_first_one_decides_the_state() {
        for (story, state, told) in [
            ([placed(), cancelled(), cancellation_requested()], State::Closed, 0),
            ([placed(), cancellation_requested(), cancelled()], State::Voided, 1),
        ] {
            let ending = ending(story);
            assert_eq!(ending.shipment.map(|shipment| shipment.state), Some(state));
            assert_eq!(ending.followed.events.len(), told);
        }
    }
}
