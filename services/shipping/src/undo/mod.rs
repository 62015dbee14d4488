//! Compensations.

pub(crate) mod order_cancellation_requested;
pub(crate) mod order_cancelled;
