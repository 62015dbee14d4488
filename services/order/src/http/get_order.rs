//! `GET /orders/{id}`: an order with its timeline.

use axum::{Json, extract::State};
use contracts::OrderId;
use service::{
    App,
    http::{OrderPath, Problem},
};
use store::{Db, Record, StoreError};

use crate::{Entry, Order, OrderService, http::OrderView};

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
    OrderPath(id): OrderPath,
) -> Result<Json<OrderView>, Problem> {
    let db = app.engine.db();
    let order: Option<Order> = db.find(id).await?;
    let order = order.ok_or_else(|| Problem::not_found("such order"))?;
    // What was said after the order was read belongs to the next answer.
    let timeline = timeline(db, id, 0, order.last_seq).await?;
    Ok(Json(OrderView::new(&order, timeline)))
}

/// The entries after `after` up to `last`.
pub(super) async fn timeline(
    db: &Db,
    order: OrderId,
    after: i64,
    last: i64,
) -> Result<Vec<Entry>, StoreError> {
    let sql = "select event_id, order_id, seq, event, service, at from timeline \
               where order_id = $1 and seq > $2 and seq <= $3 order by seq";
    let values = vec![order.into(), after.into(), last.into()];
    db.fetch(sql, values).await?.iter().map(Entry::read).collect()
}
