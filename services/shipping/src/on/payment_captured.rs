//! PaymentCaptured → *book (ShipmentDispatched | ShipmentFailed)
//!
//! Brings the payment. Books the parcel if the address is known already.

use contracts::PaymentCaptured;

use crate::{Out, Shipment, State, World};

pub(crate) fn react(world: &mut World, event: &PaymentCaptured, out: &mut Out) {
    match world.shipments.get_mut(&event.order_id) {
        None => world.shipments.put(Shipment::new(event.order_id, State::HasPaid)),
        Some(shipment) if shipment.state == State::HasAddress => shipment.book(out),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{
        Applied, apply, assert_ignored, assert_repeat_ignored, book, captured, ending, every_world,
        order_id, placed, shipment, unknown, world_in, worlds_except,
    };

    #[test]
    fn the_payment_of_an_unknown_order_is_stored_and_nothing_is_booked_yet() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, captured()), Applied::nothing());
        assert_eq!(shipment(&world), Some(&Shipment::new(order_id(), State::HasPaid)));
    }

    #[test]
    fn the_parcel_of_an_order_whose_address_is_known_is_booked() {
        let mut world = world_in(State::HasAddress);
        let before = shipment(&world).cloned().unwrap();
        assert_eq!(apply(&mut world, captured()), Applied::request(book()));
        assert_eq!(shipment(&world), Some(&Shipment { state: State::Booking, ..before }));
    }

    #[test]
    fn in_every_state_but_has_address_nothing_happens() {
        for world in worlds_except(&[State::HasAddress]) {
            assert_ignored(&world, captured());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), captured);
    }

    #[test]
    fn a_parcel_is_booked_once_however_often_address_and_payment_come() {
        for story in [
            [placed(), captured(), placed(), captured()],
            [captured(), placed(), captured(), placed()],
            [placed(), placed(), captured(), captured()],
            [captured(), captured(), placed(), placed()],
        ] {
            assert_eq!(ending(story).followed, Applied::request(book()));
        }
    }
}
