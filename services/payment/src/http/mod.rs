//! Payment's routes.

mod get_payment;
mod retry_refund;

use axum::{
    Router,
    routing::{get, post},
};
use service::App;

use crate::PaymentService;

pub(crate) fn routes() -> Router<App<PaymentService>> {
    Router::new().route("/payments/{order_id}", get(get_payment::handle))
}

pub(crate) fn admin_routes() -> Router<App<PaymentService>> {
    Router::new().route("/admin/payments/{order_id}/refund", post(retry_refund::handle))
}
