//! Compensations.

pub(crate) mod order_cancelled;
