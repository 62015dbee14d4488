//! Payment's routes.

mod get_payment;
mod retry_refund;

use quintet::App;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::PaymentService;

pub(crate) fn routes() -> OpenApiRouter<App<PaymentService>> {
    OpenApiRouter::default().routes(routes!(get_payment::handle))
}

pub(crate) fn admin_routes() -> OpenApiRouter<App<PaymentService>> {
    OpenApiRouter::default().routes(routes!(retry_refund::handle))
}
