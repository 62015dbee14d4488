//! Forward reactions.

pub(crate) mod charge_answered;
pub(crate) mod order_placed;
pub(crate) mod stock_reserved;
