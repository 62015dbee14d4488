//! Order's routes.

mod cancel_order;
mod get_order;
mod place_order;
mod view;

use axum::{
    Router,
    routing::{get, post},
};
use service::App;

use crate::OrderService;

pub use view::OrderView;

pub(crate) fn routes() -> Router<App<OrderService>> {
    Router::new()
        .route("/orders", post(place_order::handle))
        .route("/orders/{id}", get(get_order::handle))
        .route("/orders/{id}/cancellation", post(cancel_order::handle))
}
