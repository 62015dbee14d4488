//! Compensations.

pub(crate) mod payment_declined;
pub(crate) mod shipment_failed;
pub(crate) mod shipment_voided;
