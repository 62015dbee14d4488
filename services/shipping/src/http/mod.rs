//! Shipping's routes.

mod get_shipment;

use axum::{Router, routing::get};
use service::App;

use crate::ShippingService;

pub(crate) fn routes() -> Router<App<ShippingService>> {
    Router::new().route("/shipments/{order_id}", get(get_shipment::handle))
}
