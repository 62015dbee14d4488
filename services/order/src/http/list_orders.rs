//! `GET /orders`: the orders, newest first.

use axum::{extract::State, response::Response};
use contracts::OrderId;
use quintet::{
    App, Record,
    http::{Listing, Problem, Query, limit},
    store::Value,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{Order, OrderService, Status, http::Summary};

/// How many orders a page has unless `limit` says otherwise.
const ORDERS: i64 = 50;
/// The most orders that a page may have.
const MOST: i64 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Only orders with this status.
    status: Option<Status>,
    /// Only orders that need attention, or only those that do not.
    needs_attention: Option<bool>,
    /// How many orders, at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    #[serde(default, deserialize_with = "limit::<MOST, _>")]
    limit: Option<i64>,
    /// The `next` of the previous page.
    #[param(value_type = Option<String>, pattern = "^[0-9a-f]{32}$")]
    #[serde(default, deserialize_with = "position")]
    cursor: Option<Uuid>,
}

/// Orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Orders {
    /// The orders, the newest first.
    orders: Vec<Summary>,
    /// The `cursor` of the next page; null on the last page.
    #[schema(example = "019f0c5a7b3e7c3e8f40112233445566")]
    next: Option<String>,
}

/// Lists orders, newest first.
#[utoipa::path(get, path = "/orders", operation_id = "list_orders", tag = "orders", params(Page),
    responses((status = 200, description = "A page of orders, and the cursor of the next one.", body = Orders)),
)]
pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    Query(page): Query<Page>,
    listing: Listing,
) -> Result<Response, Problem> {
    let limit = page.limit.unwrap_or(ORDERS);
    let before = page.cursor.unwrap_or(Uuid::max());
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

/// Accepts a cursor only as [`cursor`] writes it, so that no client comes to depend on another spelling of the id.
fn position<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Uuid>, D::Error> {
    let cursor = String::deserialize(from)?;
    let id = Uuid::try_parse(&cursor).ok().filter(|id| id.simple().to_string() == cursor);
    let refusal = || D::Error::custom("must be the `next` of an earlier answer");
    id.map(Some).ok_or_else(refusal)
}

fn query(before: Uuid, limit: i64, page: &Page) -> (String, Vec<Value>) {
    let mut values = vec![before.into(), limit.into()];
    // Exactly the condition of the partial index `orders_attention`: only then does the database use it.
    let attention = match page.needs_attention {
        None => "",
        Some(true) => "and needs_attention",
        Some(false) => "and not needs_attention",
    };
    let filter = page.status.map_or("", |status| {
        let (filter, value) = status_filter(status);
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

/// [`Order::status`] in SQL, with the conditions of the indexes `orders_open` and `orders_ended`.
fn status_filter(status: Status) -> (&'static str, Option<&'static str>) {
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

#[cfg(test)]
mod tests {
    use quintet::{Db, Service, store::DbKind};

    use super::*;

    /// The database's query plan for this page.
    async fn plan(db: &Db, page: &Page) -> String {
        let (sql, values) = query(Uuid::max(), 50, page);
        let (explain, column) = match db.kind() {
            DbKind::Sqlite => ("explain query plan", 3),
            DbKind::Postgres => ("explain", 0),
        };
        let rows = db.fetch(&format!("{explain} {sql}"), values).await.unwrap();
        let lines = rows.iter().map(|row| row.get::<String>(column).unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn page(status: Option<Status>, needs_attention: Option<bool>) -> Page {
        Page { status, needs_attention, limit: None, cursor: None }
    }

    #[tokio::test]
    async fn each_filter_uses_a_partial_index() {
        for database in testkit::databases().await {
            let migrations = quintet::engine::migrations().and(OrderService::migrations());
            let db = database.migrated(migrations).await;
            for status in [
                Status::Placed,
                Status::Reserved,
                Status::Paid,
                Status::Cancelling,
                Status::Completed,
                Status::Cancelled,
            ] {
                let ended = matches!(status, Status::Completed | Status::Cancelled);
                let index = if ended { "orders_ended" } else { "orders_open" };
                let plan = plan(&db, &page(Some(status), None)).await;
                assert!(plan.contains(index), "{status:?}: {plan}");
            }
            let plan = plan(&db, &page(None, Some(true))).await;
            assert!(plan.contains("orders_attention"), "{plan}");
        }
    }
}
