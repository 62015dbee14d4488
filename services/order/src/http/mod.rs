//! Order's routes.

mod cancel_order;
mod get_order;
mod list_orders;
mod new_order;
mod order_events;
mod place_order;
mod price_list;
mod reply;
mod view;

use axum::Extension;
use quintet::App;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::OrderService;

pub(crate) use new_order::MOST_PIECES;
pub use price_list::PriceList;
pub use view::{Happened, OrderView, Summary};

pub(crate) fn routes() -> OpenApiRouter<App<OrderService>> {
    let looks = Extension(order_events::Looks::default());
    OpenApiRouter::default()
        .routes(routes!(place_order::handle, list_orders::handle))
        .routes(routes!(get_order::handle))
        .routes(routes!(order_events::handle).layer(looks))
        .routes(routes!(cancel_order::handle))
}
