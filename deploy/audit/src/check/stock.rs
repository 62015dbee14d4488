//! Invariant 4: for each SKU, on hand + shipped = stocked, reserved = the open reservations, and nothing is negative.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Sku;

use crate::{Invariant, ProductRow, ReservationState, Snapshot};

pub(crate) fn check(snapshot: &Snapshot) -> Invariant {
    let mut check = Invariant::new(4, "stock adds up");
    for figure in ["SKUs", "stocked", "on hand", "reserved", "shipped"] {
        check.count(figure, 0);
    }
    let reserved = pieces(snapshot, ReservationState::Reserved);
    let shipped = pieces(snapshot, ReservationState::Shipped);
    let mut listed = BTreeSet::new();
    for product in &snapshot.products {
        listed.insert(&product.sku);
        let of_product =
            |pieces: &BTreeMap<&Sku, i64>| pieces.get(&product.sku).copied().unwrap_or(0);
        one(&mut check, product, of_product(&reserved), of_product(&shipped));
    }
    for sku in reserved.keys().chain(shipped.keys()) {
        check.must(listed.contains(sku), *sku, || "is reserved or shipped, and not listed".into());
    }
    check
}

/// The pieces in reservations of this state.
fn pieces(snapshot: &Snapshot, state: ReservationState) -> BTreeMap<&Sku, i64> {
    let mut pieces = BTreeMap::new();
    let rows = snapshot.reservations.iter().filter(|row| row.state == state);
    for item in rows.flat_map(|row| &row.items) {
        *pieces.entry(&item.sku).or_default() += item.quantity;
    }
    pieces
}

fn one(check: &mut Invariant, product: &ProductRow, reservations: i64, shipments: i64) {
    let ProductRow { sku, stocked, on_hand, reserved, shipped } = product;
    for (figure, pieces) in [
        ("SKUs", &1),
        ("stocked", stocked),
        ("on hand", on_hand),
        ("reserved", reserved),
        ("shipped", shipped),
    ] {
        check.count(figure, *pieces);
    }
    let negative = [stocked, on_hand, reserved, shipped].into_iter().any(|pieces| *pieces < 0);
    check.must(!negative, sku, || format!("has less than nothing: {product:?}"));
    check.must(on_hand + shipped == *stocked, sku, || {
        format!("on hand {on_hand} + shipped {shipped} is not stocked {stocked}")
    });
    check
        .must(reserved <= on_hand, sku, || format!("{reserved} are reserved, {on_hand} are there"));
    check.must(*reserved == reservations, sku, || {
        format!("{reserved} are reserved, open reservations hold {reservations}")
    });
    check.must(*shipped == shipments, sku, || {
        format!("{shipped} are shipped, shipped reservations hold {shipments}")
    });
}

#[cfg(test)]
mod tests {
    use crate::{
        ReservationState, Snapshot,
        fixture::{SKU, broken_of, sound},
    };

    fn broken(change: impl FnOnce(&mut Snapshot)) -> String {
        broken_of(4, &crate::Subject::Sku(SKU.parse().expect("a SKU")), change, &[])
    }

    #[test]
    fn pieces_that_vanished_or_appeared_are_found() {
        assert!(broken(|snapshot| snapshot.products[0].on_hand -= 1).contains("is not stocked"));
        assert!(broken(|snapshot| snapshot.products[0].stocked += 1).contains("is not stocked"));
    }

    #[test]
    fn reserved_pieces_without_a_reservation_are_found() {
        assert!(
            broken(|snapshot| snapshot.products[0].reserved += 1)
                .contains("open reservations hold 0")
        );
        let open = broken(|snapshot| snapshot.reservations[1].state = ReservationState::Reserved);
        assert!(open.contains("0 are reserved"), "{open}");
    }

    #[test]
    fn pieces_that_left_twice_are_found() {
        let twice = broken(|snapshot| {
            snapshot.products[0].on_hand -= 2;
            snapshot.products[0].shipped += 2;
        });
        assert!(twice.contains("shipped reservations hold 2"), "{twice}");
    }

    #[test]
    fn negative_stock_and_more_reserved_than_on_hand_are_found() {
        let negative = broken(|snapshot| snapshot.products[0].reserved = -1);
        assert!(negative.contains("less than nothing"), "{negative}");
        let more = broken(|snapshot| snapshot.products[0].reserved = 1_000);
        assert!(more.contains("1000 are reserved, 8 are there"), "{more}");
    }

    #[test]
    fn a_product_that_is_not_listed_is_found() {
        assert!(broken(|snapshot| snapshot.products.clear()).contains("not listed"));
    }

    #[test]
    fn a_consistent_open_reservation_is_allowed() {
        let mut snapshot = sound();
        snapshot.reservations[1].state = ReservationState::Reserved;
        snapshot.products[0].reserved = 1;
        assert!(super::check(&snapshot).holds);
    }
}
