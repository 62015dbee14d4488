use contracts::{Money, Sku};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Product;

/// A product in the form in which the routes show it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub(super) struct ProductView {
    /// The name by which orders refer to it.
    pub(super) sku: Sku,
    /// The name that customers read.
    pub(super) name: String,
    /// The price of one piece.
    pub(super) price: Money,
    /// Counts changes of name and price.
    pub(super) version: i64,
    /// Pieces that were ever added.
    pub(super) stocked: i64,
    /// Pieces on the shelf, the reserved ones included.
    pub(super) on_hand: i64,
    /// Pieces on the shelf that belong to open orders.
    pub(super) reserved: i64,
    /// Pieces that were shipped.
    pub(super) shipped: i64,
}

impl From<&Product> for ProductView {
    fn from(product: &Product) -> Self {
        Self {
            sku: product.sku.clone(),
            name: product.name.clone(),
            price: product.price(),
            version: product.version,
            stocked: product.stocked,
            on_hand: product.on_hand,
            reserved: product.reserved,
            shipped: product.shipped,
        }
    }
}
