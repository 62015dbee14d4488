//! OrderCancellationRequested → ShipmentVoided
//!
//! Stops the parcel, also if the order is unknown here yet. Once the carrier was asked, it is too late and nothing
//! happens.

use contracts::{OrderCancellationRequested, ShipmentVoided};

use crate::{Out, Shipment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderCancellationRequested, out: &mut Out) {
    let order_id = event.order_id;
    match world.shipments.get_mut(&order_id) {
        None => world.shipments.put(Shipment::new(order_id, State::Voided)),
        Some(shipment) => match shipment.state {
            State::HasAddress | State::HasPaid => shipment.state = State::Voided,
            State::Booking if quintet::inject_bug!(VoidsTooLate) => shipment.state = State::Voided,
            _ => return,
        },
    }
    out.emit(ShipmentVoided { order_id });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{
        Applied, apply, assert_ignored, assert_repeat_ignored, book, cancellation_requested,
        captured, ending, every_world, order_id, placed, shipment, unknown, world_in,
        worlds_except,
    };

    fn voided() -> Applied {
        Applied::event(ShipmentVoided { order_id: order_id() })
    }

    #[test]
    fn the_parcel_of_an_unknown_order_is_voided() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, cancellation_requested()), voided());
        assert_eq!(shipment(&world), Some(&Shipment::new(order_id(), State::Voided)));
    }

    #[test]
    fn a_parcel_that_waits_for_address_or_payment_is_voided() {
        for state in [State::HasAddress, State::HasPaid] {
            let mut world = world_in(state);
            let before = shipment(&world).cloned().unwrap();
            assert_eq!(apply(&mut world, cancellation_requested()), voided());
            assert_eq!(shipment(&world), Some(&Shipment { state: State::Voided, ..before }));
        }
    }

    #[test]
    fn a_request_after_the_booking_is_too_late() {
        for world in worlds_except(&[State::HasAddress, State::HasPaid]) {
            assert_ignored(&world, cancellation_requested());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), cancellation_requested);
    }

    #[test]
    fn an_order_voided_before_address_and_payment_are_known_is_never_booked_and_published_once() {
        for story in [
            [cancellation_requested(), placed(), captured()],
            [cancellation_requested(), captured(), placed()],
            [placed(), cancellation_requested(), captured()],
            [captured(), cancellation_requested(), placed()],
        ] {
            let ending = ending(story);
            assert_eq!(ending.shipment.map(|shipment| shipment.state), Some(State::Voided));
            assert_eq!(ending.followed, voided());
        }
    }

    #[test]
    fn an_order_whose_address_and_payment_come_first_is_booked_and_not_voided() {
        for story in [
            [placed(), captured(), cancellation_requested()],
            [captured(), placed(), cancellation_requested()],
        ] {
            assert_eq!(ending(story).followed, Applied::request(book()));
        }
    }
}
