//! Compensations.

pub(crate) mod cancel_order;
pub(crate) mod first_deadline;
pub(crate) mod payment_deadline;
pub(crate) mod payment_declined;
pub(crate) mod payment_refunded;
pub(crate) mod payment_voided;
pub(crate) mod second_deadline;
pub(crate) mod shipment_failed;
pub(crate) mod shipment_voided;
pub(crate) mod stock_rejected;
pub(crate) mod stock_released;
