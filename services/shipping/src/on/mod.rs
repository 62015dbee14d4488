//! Forward reactions.

pub(crate) mod book_answered;
pub(crate) mod order_placed;
pub(crate) mod payment_captured;
