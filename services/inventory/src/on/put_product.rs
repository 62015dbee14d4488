//! PutProduct → ProductListed
//!
//! A product that is put as it already is keeps its version and tells nobody.

use contracts::{Money, ProductListed, Sku};

use crate::{
    Out, Product, World,
    store::{ProductView, Reply},
};

/// A product is created or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutProduct {
    /// What it is called in orders.
    pub sku: Sku,
    /// What a customer reads.
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
    out.reply(Reply::Product(Box::new(ProductView::from(&product)), known.is_none()));
    if !unchanged {
        world.products.put(product);
        out.emit(ProductListed { sku, name, price, version });
    }
}
