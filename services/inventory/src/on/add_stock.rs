//! AddStock → nothing

use contracts::Sku;

use crate::{
    Out, World,
    store::{ProductView, Reply},
};

/// Pieces that a product can ever have had: far from where sums overflow.
const MOST: i64 = 1_000_000_000_000_000;

/// Pieces come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddStock {
    /// Of this product.
    pub sku: Sku,
    /// So many.
    pub quantity: i64,
}

pub(crate) fn react(world: &mut World, command: &AddStock, out: &mut Out) {
    let reply = match world.products.get_mut(&command.sku) {
        None => Reply::Unknown,
        Some(product) if product.stocked > MOST - command.quantity => Reply::TooMuch,
        Some(product) => {
            product.stocked += command.quantity;
            product.on_hand += command.quantity;
            Reply::Product(Box::new(ProductView::from(&*product)), false)
        }
    };
    out.reply(reply);
}
