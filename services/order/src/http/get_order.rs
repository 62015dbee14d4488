//! `GET /orders/{id}`: an order with its timeline.

use axum::{Json, extract::State};
use contracts::OrderId;
use service::{
    App,
    http::{OrderPath, Problem},
};
use store::{Db, Record, StoreError};

use crate::{Entry, Order, OrderService, http::OrderView};

pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    OrderPath(id): OrderPath,
) -> Result<Json<OrderView>, Problem> {
    let db = app.engine.db();
    let order: Option<Order> = db.find(id).await?;
    let order = order.ok_or_else(|| Problem::not_found("such order"))?;
    // What was said after the order was read belongs to the next answer.
    let timeline = timeline(db, id, order.last_seq).await?;
    Ok(Json(OrderView::new(&order, timeline)))
}

async fn timeline(db: &Db, order: OrderId, last: i64) -> Result<Vec<Entry>, StoreError> {
    let sql = "select event_id, order_id, seq, event, service, at from timeline \
               where order_id = $1 and seq <= $2 order by seq";
    db.fetch(sql, vec![order.into(), last.into()]).await?.iter().map(Entry::read).collect()
}
