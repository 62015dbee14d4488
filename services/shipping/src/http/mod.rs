//! Shipping's routes.

mod get_shipment;

use quintet::App;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::ShippingService;

pub(crate) fn routes() -> OpenApiRouter<App<ShippingService>> {
    OpenApiRouter::default().routes(routes!(get_shipment::handle))
}
