//! Forward reactions.

pub(crate) mod add_stock;
pub(crate) mod order_placed;
pub(crate) mod put_product;
pub(crate) mod shipment_dispatched;
