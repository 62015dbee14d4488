//! OrderPlaced → StockReserved | StockRejected
//!
//! Reserves all lines or none.

use contracts::{OrderPlaced, StockRejected, StockReserved};
use quintet::store::Json;

use crate::{Out, Product, Reservation, State, World};

pub(crate) fn react(world: &mut World, event: &OrderPlaced, out: &mut Out) {
    let order_id = event.order_id;
    if world.reservations.get(&order_id).is_some() {
        return;
    }
    let lines = event.items.iter();
    let missing: Vec<_> =
        lines.filter_map(|item| Product::shortage(world.products.get(&item.sku), item)).collect();
    let (state, items) = if missing.is_empty() {
        for item in &event.items {
            if let Some(product) = world.products.get_mut(&item.sku) {
                product.reserve(item.quantity);
            }
        }
        out.emit(StockReserved { order_id });
        (State::Reserved, event.items.clone())
    } else {
        out.emit(StockRejected { order_id, missing });
        (State::Rejected, Vec::new())
    };
    world.reservations.put(Reservation { order_id, state, items: Json(items) });
}

#[cfg(test)]
mod tests {
    use contracts::Shortage;

    use super::*;
    use crate::support::{
        Applied, apply, assert_ignored, assert_repeat_ignored, every_world, item, items, order_id,
        other_order_id, placed, placed_by, placed_for_too_much, product, reservation, rows, shelf,
        shipment_voided, sku, worlds_except,
    };

    /// The shortage of [`placed_for_too_much`].
    fn rejected() -> Applied {
        let missing = vec![Shortage { sku: sku("pot"), requested: 3, available: 2 }];
        Applied::event(StockRejected { order_id: order_id(), missing })
    }

    #[test]
    fn all_lines_of_an_order_are_reserved_to_the_last_piece() {
        let mut world = shelf();
        let (mug, pot) = (product(&world, "mug"), product(&world, "pot"));
        let reserved = StockReserved { order_id: order_id() };
        assert_eq!(apply(&mut world, placed()), Applied::event(reserved));
        let (order_id, items) = (order_id(), Json(items()));
        let expected = Reservation { order_id, state: State::Reserved, items };
        assert_eq!(reservation(&world), Some(&expected));
        assert_eq!(product(&world, "mug"), Product { reserved: 3, ..mug });
        assert_eq!(product(&world, "pot"), Product { reserved: 2, ..pot });
        assert_eq!(product(&world, "pot").available(), 0);
    }

    #[test]
    fn an_order_with_a_line_out_of_stock_is_rejected_and_no_line_is_reserved() {
        let mut world = shelf();
        let before = rows(&world);
        assert_eq!(apply(&mut world, placed_for_too_much()), rejected());
        let items = Json(Vec::new());
        let expected = Reservation { order_id: order_id(), state: State::Rejected, items };
        assert_eq!(reservation(&world), Some(&expected));
        assert_eq!(rows(&world).products, before.products);
    }

    #[test]
    fn a_rejection_names_every_line_out_of_stock_and_an_unknown_product_has_none() {
        let mut world = shelf();
        let placed = placed_by(order_id(), [item("cup", 1), item("mug", 1), item("pot", 3)]);
        let missing = vec![
            Shortage { sku: sku("cup"), requested: 1, available: 0 },
            Shortage { sku: sku("pot"), requested: 3, available: 2 },
        ];
        let rejected = StockRejected { order_id: order_id(), missing };
        assert_eq!(apply(&mut world, placed), Applied::event(rejected));
    }

    #[test]
    fn the_first_of_two_orders_for_the_last_piece_gets_it() {
        for (first, second) in [(order_id(), other_order_id()), (other_order_id(), order_id())] {
            let mut world = shelf();
            let reserved = StockReserved { order_id: first };
            let placed = |order_id| placed_by(order_id, [item("pot", 2)]);
            assert_eq!(apply(&mut world, placed(first)), Applied::event(reserved));
            let missing = vec![Shortage { sku: sku("pot"), requested: 2, available: 0 }];
            let rejected = StockRejected { order_id: second, missing };
            assert_eq!(apply(&mut world, placed(second)), Applied::event(rejected));
            assert_eq!(product(&world, "pot").reserved, 2);
        }
    }

    #[test]
    fn pieces_that_one_order_releases_can_be_reserved_for_another() {
        let mut world = shelf();
        apply(&mut world, placed());
        apply(&mut world, shipment_voided());
        let reserved = StockReserved { order_id: other_order_id() };
        let placed = placed_by(other_order_id(), items());
        assert_eq!(apply(&mut world, placed), Applied::event(reserved));
    }

    #[test]
    fn a_known_order_is_ignored_in_every_state() {
        for world in worlds_except(&[]) {
            assert_ignored(&world, placed());
            assert_ignored(&world, placed_for_too_much());
        }
    }

    #[test]
    fn a_repeat_does_nothing() {
        assert_repeat_ignored(every_world(), placed);
        assert_repeat_ignored(every_world(), placed_for_too_much);
    }
}
