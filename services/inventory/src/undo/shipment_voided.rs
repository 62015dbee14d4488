//! ShipmentVoided → StockReleased
//!
//! This may come before `OrderPlaced`. Then a tombstone is stored, so that a late `OrderPlaced` reserves nothing
//! for an order that is already cancelled.

use contracts::{ShipmentVoided, StockReleased};
use quintet::store::Json;

use crate::{Out, Reservation, State, World};

pub(crate) fn react(world: &mut World, event: &ShipmentVoided, out: &mut Out) {
    let order_id = event.order_id;
    if world.reservations.get(&order_id).is_none() {
        let tombstone = Reservation { order_id, state: State::Tombstone, items: Json(Vec::new()) };
        if !quintet::inject_bug!(NoTombstone) {
            world.reservations.put(tombstone);
        }
        out.emit(StockReleased { order_id });
    } else {
        world.release(order_id, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{
        apply, assert_ignored, assert_releases, assert_repeat_ignored, ending, every_world, item,
        order_id, other_order_id, placed, placed_by, product, released, reservation, rows, shelf,
        shipment_voided, worlds_except,
    };

    #[test]
    fn an_unknown_order_gets_a_tombstone_and_its_release_is_published() {
        let mut world = shelf();
        let before = rows(&world);
        assert_eq!(apply(&mut world, shipment_voided()), released());
        let items = Json(Vec::new());
        let expected = Reservation { order_id: order_id(), state: State::Tombstone, items };
        assert_eq!(reservation(&world), Some(&expected));
        assert_eq!(rows(&world).products, before.products);
    }

    #[test]
    fn every_reserved_line_is_released_and_that_is_published() {
        assert_releases(shipment_voided());
    }

    #[test]
    fn pieces_reserved_for_another_order_stay() {
        let mut world = shelf();
        apply(&mut world, placed_by(other_order_id(), [item("mug", 4)]));
        apply(&mut world, placed());
        assert_eq!(apply(&mut world, shipment_voided()), released());
        assert_eq!(product(&world, "mug").reserved, 4);
        let other = world.reservations.get(&other_order_id());
        assert_eq!(other.map(|reservation| reservation.state), Some(State::Reserved));
    }

    #[test]
    fn in_every_state_but_reserved_nothing_happens() {
        for world in worlds_except(&[State::Reserved]) {
            assert_ignored(&world, shipment_voided());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), shipment_voided);
    }

    #[test]
    fn nothing_stays_reserved_whether_the_order_or_its_void_comes_first() {
        let order_first = ending([placed(), shipment_voided()]);
        let void_first = ending([shipment_voided(), placed()]);
        assert_eq!(void_first.rows.products, order_first.rows.products);
        assert!(void_first.rows.products.iter().all(|product| product.reserved == 0));
        assert_eq!(void_first.followed, released());
        assert_eq!(order_first.followed.events[1..], void_first.followed.events);
    }
}
