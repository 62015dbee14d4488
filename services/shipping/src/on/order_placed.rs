//! OrderPlaced → *book (ShipmentDispatched | ShipmentFailed)
//!
//! Brings the address. Books the parcel if the order is known to be paid.

use contracts::OrderPlaced;
use quintet::store::Json;

use crate::{Out, Shipment, State, World};

pub(crate) fn react(world: &mut World, event: &OrderPlaced, out: &mut Out) {
    let with_address = |shipment: &mut Shipment| {
        shipment.address = Some(Json(event.shipping_address.clone()));
        shipment.items = Some(Json(event.items.clone()));
    };
    match world.shipments.get_mut(&event.order_id) {
        None => {
            let mut shipment = Shipment::new(event.order_id, State::HasAddress);
            with_address(&mut shipment);
            world.shipments.put(shipment);
        }
        Some(shipment) if shipment.state == State::HasPaid => {
            with_address(shipment);
            shipment.book(out);
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{
        Applied, address, apply, assert_ignored, assert_repeat_ignored, book, captured, ending,
        every_world, items, order_id, placed, shipment, unknown, world_in, worlds_except,
    };

    /// A shipment in this state whose address is known.
    fn with_address(state: State) -> Shipment {
        Shipment {
            address: Some(Json(address())),
            items: Some(Json(items())),
            ..Shipment::new(order_id(), state)
        }
    }

    #[test]
    fn the_address_of_a_new_order_is_stored_and_nothing_is_booked_yet() {
        let mut world = unknown();
        assert_eq!(apply(&mut world, placed()), Applied::nothing());
        assert_eq!(shipment(&world), Some(&with_address(State::HasAddress)));
    }

    #[test]
    fn the_parcel_of_an_order_that_is_paid_already_is_booked() {
        let mut world = world_in(State::HasPaid);
        assert_eq!(apply(&mut world, placed()), Applied::request(book()));
        assert_eq!(shipment(&world), Some(&with_address(State::Booking)));
    }

    #[test]
    fn in_every_state_but_has_paid_nothing_happens() {
        for world in worlds_except(&[State::HasPaid]) {
            assert_ignored(&world, placed());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), placed);
    }

    #[test]
    fn the_booking_is_the_same_whether_the_address_or_the_payment_comes_first() {
        let address_first = ending([placed(), captured()]);
        assert_eq!(address_first.followed, Applied::request(book()));
        assert_eq!(ending([captured(), placed()]), address_first);
    }
}
