//! `GET /orders/{id}`: an order with its timeline.

use axum::{Json, extract::State};
use contracts::OrderId;
use quintet::{
    App,
    http::{AggregatePath, Problem},
};

use crate::{Order, OrderService, http::OrderView};

/// Shows an order with its timeline.
#[utoipa::path(get, path = "/orders/{id}", operation_id = "get_order", tag = "orders",
    params(("id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "The order as it is now.", body = OrderView),
        (status = 404, description = "There is no such order."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    AggregatePath(id): AggregatePath<OrderId>,
) -> Result<Json<OrderView>, Problem> {
    let order: Option<Order> = app.engine.db().find(id).await?;
    let order = order.ok_or_else(|| Problem::not_found("such order"))?;
    Ok(Json((&order).into()))
}
