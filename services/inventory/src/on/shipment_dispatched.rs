//! ShipmentDispatched → nothing
//!
//! The reserved pieces leave the shelf.

use contracts::ShipmentDispatched;

use crate::{Product, State, World};

pub(crate) fn react(world: &mut World, event: &ShipmentDispatched) {
    world.end_reservation(event.order_id, State::Shipped, Product::ship);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Reservation,
        support::{
            Applied, apply, assert_ignored, assert_repeat_ignored, every_world, item,
            other_order_id, placed, placed_by, product, reservation, shelf, shipment_dispatched,
            world_in, worlds_except,
        },
    };

    #[test]
    fn every_reserved_line_leaves_the_shelf() {
        let mut world = world_in(State::Reserved);
        let before = reservation(&world).cloned().unwrap();
        let (mug, pot) = (product(&world, "mug"), product(&world, "pot"));
        assert_eq!(apply(&mut world, shipment_dispatched()), Applied::nothing());
        let expected = Reservation { state: State::Shipped, ..before };
        assert_eq!(reservation(&world), Some(&expected));
        let (mug_after, pot_after) = (product(&world, "mug"), product(&world, "pot"));
        assert_eq!(mug_after, Product { on_hand: 7, reserved: 0, shipped: 3, ..mug });
        assert_eq!(pot_after, Product { on_hand: 0, reserved: 0, shipped: 2, ..pot });
    }

    #[test]
    fn pieces_reserved_for_another_order_stay() {
        let mut world = shelf();
        apply(&mut world, placed_by(other_order_id(), [item("mug", 4)]));
        apply(&mut world, placed());
        apply(&mut world, shipment_dispatched());
        let mug = product(&world, "mug");
        assert_eq!((mug.on_hand, mug.reserved, mug.shipped), (7, 4, 3));
        let other = world.reservations.get(&other_order_id());
        assert_eq!(other.map(|reservation| reservation.state), Some(State::Reserved));
    }

    #[test]
    fn an_unknown_order_stays_unknown() {
        assert_ignored(&shelf(), shipment_dispatched());
    }

    #[test]
    fn in_every_state_but_reserved_nothing_happens() {
        for world in worlds_except(&[State::Reserved]) {
            assert_ignored(&world, shipment_dispatched());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), shipment_dispatched);
    }
}
