//! Forward reactions.

pub(crate) mod order_completed;
pub(crate) mod order_placed;
