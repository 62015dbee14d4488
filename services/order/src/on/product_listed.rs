//! ProductListed → nothing
//!
//! Updates the price list. A version older than the known one is ignored, because events of one product may arrive in
//! any order.

use contracts::ProductListed;

use crate::{Product, World};

pub(crate) fn react(world: &mut World, event: &ProductListed) {
    let known = world.products.get(&event.sku);
    if known.is_none_or(|known| known.version < event.version) {
        world.products.put(Product {
            sku: event.sku.clone(),
            name: event.name.clone(),
            price_minor: event.price.amount_minor,
            currency: event.price.currency,
            version: event.version,
        });
    }
}
