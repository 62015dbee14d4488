//! Loyalty's routes.

mod get_points;

use quintet::App;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::LoyaltyService;

pub(crate) fn routes() -> OpenApiRouter<App<LoyaltyService>> {
    OpenApiRouter::default().routes(routes!(get_points::handle))
}
