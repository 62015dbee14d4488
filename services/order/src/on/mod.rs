//! Forward reactions.

pub(crate) mod notified;
pub(crate) mod payment_captured;
pub(crate) mod place_order;
pub(crate) mod product_listed;
pub(crate) mod shipment_dispatched;
pub(crate) mod stock_reserved;
