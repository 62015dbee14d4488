//! `GET /orders`: the orders, newest first.

use axum::{extract::State, response::Response};
use contracts::OrderId;
use serde::{Deserialize, Serialize};
use service::{
    App,
    http::{Listing, Problem, Query},
};
use store::{Record, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{Order, OrderService, Status, http::Summary};

/// Orders of one answer unless asked otherwise, and at most.
const ORDERS: i64 = 50;
const MOST: i64 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Only orders that stand there.
    status: Option<Status>,
    /// Only orders that need attention, or only those that do not.
    needs_attention: Option<bool>,
    /// How many orders, at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<i64>,
    /// The `next` of the answer before.
    #[param(pattern = "^[0-9a-f]{32}$")]
    cursor: Option<String>,
}

/// Orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Orders {
    orders: Vec<Summary>,
    /// Give it as `cursor` to go on; null at the end.
    #[schema(example = "019f0c5a7b3e7c3e8f40112233445566")]
    next: Option<String>,
}

/// Lists orders, newest first.
#[utoipa::path(get, path = "/orders", operation_id = "list_orders", tag = "orders", params(Page),
    responses((status = 200, description = "Some orders, and how to go on.", body = Orders)),
)]
pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    Query(page): Query<Page>,
    listing: Listing,
) -> Result<Response, Problem> {
    let limit = page.limit.unwrap_or(ORDERS);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::invalid("limit", &format!("must be 1 to {MOST}")));
    }
    let before = page.cursor.as_deref().map_or(Ok(Uuid::max()), position)?;
    let (sql, values) = query(before, limit + 1, &page);
    let rows = app.engine.db().fetch(&sql, values).await?;
    let mut orders: Vec<Order> = rows.iter().map(Order::read).collect::<Result<_, _>>()?;
    let more = orders.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        orders.pop();
    }
    let next = orders.last().filter(|_| more).map(|order| cursor(order.order_id));
    listing.answer(&Orders { orders: orders.iter().map(Into::into).collect(), next })
}

fn cursor(order: OrderId) -> String {
    order.uuid().simple().to_string()
}

/// Only as [`cursor`] writes it: whoever builds one by hand builds on sand.
fn position(cursor: &str) -> Result<Uuid, Problem> {
    let id = Uuid::try_parse(cursor).ok().filter(|id| id.simple().to_string() == cursor);
    id.ok_or_else(|| Problem::invalid("cursor", "must be the `next` of an earlier answer"))
}

fn query(before: Uuid, limit: i64, page: &Page) -> (String, Vec<Value>) {
    let mut values = vec![before.into(), limit.into()];
    // The condition of the index `orders_attention`, so that it is used.
    let attention = match page.needs_attention {
        None => "",
        Some(true) => "and needs_attention",
        Some(false) => "and not needs_attention",
    };
    let filter = page.status.map_or("", |status| {
        let (filter, value) = standing(status);
        values.extend(value.map(Value::from));
        filter
    });
    let names: Vec<_> = Order::TABLE.columns.iter().map(|column| column.name).collect();
    let sql = format!(
        "select {} from orders where order_id < $1 {attention} {filter} order by order_id desc limit $2",
        names.join(", ")
    );
    (sql, values)
}

/// [`Order::status`] in SQL.
fn standing(status: Status) -> (&'static str, Option<&'static str>) {
    const OPEN: &str = "and ended is null and cause is null and stage = $3";
    const ENDED: &str = "and ended = $3";
    match status {
        Status::Placed => (OPEN, Some("placed")),
        Status::Reserved => (OPEN, Some("reserved")),
        Status::Paid => (OPEN, Some("paid")),
        Status::Cancelling => ("and ended is null and cause is not null", None),
        Status::Completed => (ENDED, Some("completed")),
        Status::Cancelled => (ENDED, Some("cancelled")),
    }
}
