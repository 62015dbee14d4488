//! AddStock → nothing

use contracts::Sku;

use crate::{Out, Reply, World};

/// The most pieces that a product can ever have had. Far below the sums that would overflow.
const MOST: i64 = 1_000_000_000_000_000;

/// A request to add stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddStock {
    /// The product.
    pub sku: Sku,
    /// How many pieces.
    pub quantity: i64,
}

pub(crate) fn react(world: &mut World, command: &AddStock, out: &mut Out) {
    let reply = match world.products.get_mut(&command.sku) {
        None => Reply::Unknown,
        Some(product) if product.stocked > MOST - command.quantity => Reply::TooMuch,
        Some(product) => {
            product.stocked += command.quantity;
            product.on_hand += command.quantity;
            Reply::Product(Box::new(product.clone()), false)
        }
    };
    out.reply(reply);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Product, State,
        support::{Applied, add_stock, apply, eur, product, put_product, rows, shelf, world_in},
    };

    /// The reply with this product.
    fn shown(product: &Product) -> Applied {
        Applied::reply(Reply::Product(Box::new(product.clone()), false))
    }

    #[test]
    fn pieces_are_added_and_reserved_or_shipped_ones_stay() {
        for state in [State::Reserved, State::Shipped] {
            let mut world = world_in(state);
            let before = product(&world, "mug");
            let expected = Product {
                stocked: before.stocked + 5,
                on_hand: before.on_hand + 5,
                ..before.clone()
            };
            assert_eq!(apply(&mut world, add_stock("mug", 5)), shown(&expected));
            assert_eq!(product(&world, "mug"), expected);
            assert_eq!(expected.available(), before.available() + 5);
        }
    }

    #[test]
    fn only_the_named_product_gets_the_pieces() {
        let mut world = shelf();
        let pot = product(&world, "pot");
        apply(&mut world, add_stock("mug", 5));
        assert_eq!(product(&world, "pot"), pot);
    }

    #[test]
    fn an_unknown_product_is_refused_and_stays_unknown() {
        let mut world = shelf();
        let before = rows(&world);
        assert_eq!(apply(&mut world, add_stock("cup", 5)), Applied::reply(Reply::Unknown));
        assert_eq!(rows(&world), before);
    }

    #[test]
    fn a_product_gets_as_many_pieces_as_it_may_ever_have_and_not_one_more() {
        let mut world = shelf();
        let before = product(&world, "mug");
        let room = MOST - before.stocked;
        let too_much = Applied::reply(Reply::TooMuch);
        assert_eq!(apply(&mut world, add_stock("mug", room + 1)), too_much);
        assert_eq!(product(&world, "mug"), before);
        apply(&mut world, add_stock("mug", room));
        let full = product(&world, "mug");
        assert_eq!((full.stocked, full.on_hand), (MOST, MOST));
        assert_eq!(apply(&mut world, add_stock("mug", 1)), too_much);
        assert_eq!(product(&world, "mug"), full);
    }

    #[test]
    fn the_same_pieces_again_are_more_pieces_because_only_the_idempotency_key_reveals_a_repeat() {
        let mut world = shelf();
        apply(&mut world, add_stock("pot", 5));
        apply(&mut world, add_stock("pot", 5));
        assert_eq!(product(&world, "pot").on_hand, 2 + 5 + 5);
    }

    #[test]
    fn a_product_must_be_put_before_its_pieces_can_be_added() {
        for (inputs, stocked) in [
            ([put_product("cup", "Cup", eur(1)), add_stock("cup", 5)], 5),
            ([add_stock("cup", 5), put_product("cup", "Cup", eur(1))], 0),
        ] {
            let mut world = shelf();
            for what in inputs {
                apply(&mut world, what);
            }
            assert_eq!(product(&world, "cup").stocked, stocked);
        }
    }
}
