//! PutProduct → ProductListed
//!
//! If nothing changes, the product keeps its version and no event is emitted.

use contracts::{Money, ProductListed, Sku};

use crate::{Out, Product, Reply, World};

/// A request to create or change a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutProduct {
    /// The name by which orders refer to it.
    pub sku: Sku,
    /// The name that customers read.
    pub name: String,
    /// The price of one piece.
    pub price: Money,
}

pub(crate) fn react(world: &mut World, command: &PutProduct, out: &mut Out) {
    let PutProduct { sku, name, price } = command.clone();
    let known = world.products.get(&sku).cloned();
    let product = Product {
        version: known.as_ref().map_or(0, |known| known.version),
        stocked: known.as_ref().map_or(0, |known| known.stocked),
        on_hand: known.as_ref().map_or(0, |known| known.on_hand),
        reserved: known.as_ref().map_or(0, |known| known.reserved),
        shipped: known.as_ref().map_or(0, |known| known.shipped),
        price_minor: price.amount_minor,
        currency: price.currency,
        sku: sku.clone(),
        name: name.clone(),
    };
    let unchanged = known.as_ref() == Some(&product);
    let version = if unchanged { product.version } else { product.version + 1 };
    let product = Product { version, ..product };
    out.reply(Reply::Product(Box::new(product.clone()), known.is_none()));
    if !unchanged {
        world.products.put(product);
        out.emit(ProductListed { sku, name, price, version });
    }
}

#[cfg(test)]
mod tests {
    use contracts::Currency;

    use super::*;
    use crate::{
        State,
        support::{
            Applied, apply, empty, eur, product, put_product, reservation, rows, shelf, sku,
            world_in,
        },
    };

    /// The reply with this product.
    fn shown(product: &Product, is_new: bool) -> Reply {
        Reply::Product(Box::new(product.clone()), is_new)
    }

    fn listed(name: &str, price: Money, version: i64) -> Applied {
        Applied::event(ProductListed { sku: sku("mug"), name: name.into(), price, version })
    }

    #[test]
    fn a_new_product_is_listed_at_version_one_without_stock() {
        let mut world = empty();
        let applied = apply(&mut world, put_product("mug", "Mug", eur(499)));
        let expected = Product {
            sku: sku("mug"),
            name: "Mug".into(),
            price_minor: 499,
            currency: Currency::EUR,
            version: 1,
            stocked: 0,
            on_hand: 0,
            reserved: 0,
            shipped: 0,
        };
        assert_eq!(product(&world, "mug"), expected);
        let reply = Some(shown(&expected, true));
        assert_eq!(applied, Applied { reply, ..listed("Mug", eur(499), 1) });
    }

    #[test]
    fn a_change_of_name_price_or_currency_is_listed_at_the_next_version() {
        let usd = Money { amount_minor: 499, currency: "USD".parse().unwrap() };
        for (name, price) in [("Big mug", eur(499)), ("Mug", eur(500)), ("Mug", usd)] {
            let mut world = shelf();
            let before = product(&world, "mug");
            let applied = apply(&mut world, put_product("mug", name, price));
            let Money { amount_minor: price_minor, currency } = price;
            let expected =
                Product { name: name.into(), price_minor, currency, version: 2, ..before };
            assert_eq!(product(&world, "mug"), expected);
            let reply = Some(shown(&expected, false));
            assert_eq!(applied, Applied { reply, ..listed(name, price, 2) });
        }
    }

    #[test]
    fn a_change_leaves_stock_and_reservations_as_they_are() {
        for state in [State::Reserved, State::Shipped] {
            let mut world = world_in(state);
            let before = (product(&world, "mug"), reservation(&world).cloned());
            assert!(before.0.reserved + before.0.shipped > 0, "{before:?}");
            apply(&mut world, put_product("mug", "Mug", eur(500)));
            let changed = Product { price_minor: 500, version: 2, ..before.0 };
            assert_eq!(product(&world, "mug"), changed);
            assert_eq!(reservation(&world), before.1.as_ref());
        }
    }

    #[test]
    fn an_unchanged_product_keeps_its_version_and_is_not_listed_again() {
        let mut world = shelf();
        let before = rows(&world);
        let reply = shown(&product(&world, "mug"), false);
        let applied = apply(&mut world, put_product("mug", "Mug", eur(499)));
        assert_eq!(applied, Applied::reply(reply));
        assert_eq!(rows(&world), before);
    }

    #[test]
    fn a_repeat_of_a_change_is_answered_and_changes_nothing() {
        let mut world = shelf();
        apply(&mut world, put_product("mug", "Mug", eur(500)));
        let before = rows(&world);
        let reply = shown(&product(&world, "mug"), false);
        let applied = apply(&mut world, put_product("mug", "Mug", eur(500)));
        assert_eq!(applied, Applied::reply(reply));
        assert_eq!(rows(&world), before);
    }

    #[test]
    fn the_later_of_two_changes_wins() {
        for (first, second) in [(500, 600), (600, 500)] {
            let mut world = shelf();
            for price in [first, second] {
                apply(&mut world, put_product("mug", "Mug", eur(price)));
            }
            let mug = product(&world, "mug");
            assert_eq!((mug.price(), mug.version), (eur(second), 3));
        }
    }
}
