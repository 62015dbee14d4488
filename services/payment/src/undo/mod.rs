//! Compensations.

pub(crate) mod order_cancelled;
pub(crate) mod refund_answered;
pub(crate) mod retry_refund;
pub(crate) mod shipment_failed;
pub(crate) mod shipment_voided;
