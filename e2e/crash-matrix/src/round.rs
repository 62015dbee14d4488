use anyhow::{Context, Result};
use clock::{SystemClock, SystemRandom, uuid_v7};
use contracts::{OrderId, Sku};
use crash::Armed;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Cell, Course, Reach, crash_suite::CrashSuite, operator};

/// How many requests are sent at a time.
const AT_ONCE: usize = 16;
/// The stock of the product that most orders share.
const SHARED_STOCK: i64 = 100_000;
/// The stock of a product that is listed for one order.
pub(crate) const OWN_STOCK: i64 = 5;
/// The services that consume order's events.
const OTHERS: [&str; 4] = ["inventory", "payment", "shipping", "notification"];

/// When the order service receives the events of the others. Which of an order's last events ends it depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// All events at once, when the others have done all that they can.
    Late,
    /// Shipping's voidings when they happen, and all other events at once.
    Half,
    /// Each event when it happens.
    Live,
}

/// An order that tries to reach a cell.
#[derive(Debug)]
pub(crate) struct CellOrder<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) course: Course,
    /// A text in the customer's address, by which a crash point recognises the order's inputs before the order has an id.
    mark: String,
    /// The ordered product.
    pub(crate) sku: Sku,
    /// Known once the order is accepted.
    pub(crate) id: Option<OrderId>,
}

/// The orders for these cells.
pub(crate) fn orders_for<'a>(cells: &[&'a Cell]) -> Result<Vec<CellOrder<'a>>> {
    let common: Sku = format!("common-{}", unique()).parse()?;
    let mut orders = Vec::new();
    for &cell in cells {
        let Reach::By(course) = cell.reach else { continue };
        for _ in 0..cell.tries() {
            let mark = unique();
            let sku = if course == Course::Listed { mark.parse()? } else { common.clone() };
            orders.push(CellOrder { cell, course, mark, sku, id: None });
        }
    }
    Ok(orders)
}

/// Runs the orders to their end. The services die at the points that the orders' cells name.
///
/// Services are stopped and started so that events arrive as `delivery` says, and so that each service reads what is armed
/// before the inputs of its cells arrive: a process reads the armed cells when it starts.
pub(crate) async fn run_orders(
    suite: &CrashSuite,
    orders: &mut [CellOrder<'_>],
    delivery: Delivery,
) -> Result<()> {
    arm(suite, orders)?;
    if orders.iter().any(|order| order.course.refused().is_some()) {
        operator::refuse_poisoned(suite).await.context("cannot let the providers refuse")?;
    }
    suite.stop(&["order", "inventory"]).await;
    suite.start(&["order", "inventory"]);
    list_products(suite, orders).await.context("cannot list the products")?;
    // Order refuses orders for products that it has not read from inventory yet.
    suite.until_quiet(&["inventory", "order"]).await?;
    suite.stop(&OTHERS).await;
    place(suite, orders).await.context("cannot place the orders")?;
    // The orders have ids now, by which the other services recognise their inputs.
    arm(suite, orders)?;
    suite.stop(&["order"]).await;
    suite.start(&["order"]);
    for order in orders.iter() {
        cancel(suite, order).await.context("cannot cancel an order")?;
    }
    // Otherwise the other services could wait in vain for events, if order is stopped below.
    let has_published = |status: &Value| status["outbox"]["depth"] == 0;
    suite.until("order has published its events", &suite.status("order"), has_published).await?;
    if delivery == Delivery::Late {
        suite.stop(&["order"]).await;
    }
    void(suite, orders, delivery).await?;
    suite.start(&["inventory", "notification"]);
    if delivery != Delivery::Live {
        suite.until_quiet(&OTHERS).await?;
        suite.start(&["order"]);
    }
    wait_for_ends(suite, orders).await
}

/// Arms the cells of the orders. The marks by which an input is recognised are the order's mark and, once it is known, its id.
fn arm(suite: &CrashSuite, orders: &[CellOrder<'_>]) -> Result<()> {
    let mut armed: Vec<Armed> = Vec::new();
    for order in orders {
        let Cell { reaction, point, .. } = order.cell;
        let name = order.cell.name();
        // For an order of a product of its own, the mark is also the SKU.
        let marks = [Some(order.mark.clone()), order.id.map(|id| id.to_string())];
        let marks = marks.into_iter().flatten();
        match armed.iter_mut().find(|armed| armed.cell == name) {
            Some(armed) => armed.marks.extend(marks),
            None => armed.push(Armed {
                cell: name,
                service: reaction.service.to_owned(),
                input: reaction.input.clone(),
                point: *point,
                marks: marks.collect(),
            }),
        }
    }
    suite.arm(&armed)
}

/// Lists and stocks all products.
async fn list_products(suite: &CrashSuite, orders: &[CellOrder<'_>]) -> Result<()> {
    let stock = |order: &CellOrder<'_>| {
        if order.course == Course::Listed { OWN_STOCK } else { SHARED_STOCK }
    };
    let mut products: Vec<(&Sku, i64)> =
        orders.iter().map(|order| (&order.sku, stock(order))).collect();
    products.sort();
    products.dedup();
    let listed = stream::iter(products).map(|(sku, pieces)| async move {
        let path = format!("/products/{sku}");
        let product = json!({"name": "Mug", "price": {"amount_minor": 1298, "currency": "EUR"}});
        let put = || suite.request(Method::PUT, "inventory", &path).json(&product);
        suite.ask(put, &[StatusCode::OK, StatusCode::CREATED]).await?;
        let (path, key) = (format!("{path}/stock"), unique());
        let add = || {
            let request = suite.request(Method::POST, "inventory", &path);
            request.header("idempotency-key", &key).json(&json!({ "quantity": pieces }))
        };
        suite.ask(add, &[StatusCode::OK]).await.map(drop)
    });
    listed.buffer_unordered(AT_ONCE).try_collect().await
}

/// Places all orders. Each request is repeated until the order service accepts it.
async fn place(suite: &CrashSuite, orders: &mut [CellOrder<'_>]) -> Result<()> {
    let placed = stream::iter(orders.iter_mut()).map(|order| async move {
        let (body, key) = (order.course.order(&order.sku, &order.mark), unique());
        let place = || {
            let request = suite.request(Method::POST, "order", "/orders").json(&body.0);
            request.header("idempotency-key", &key)
        };
        let answer = suite.ask(place, &[StatusCode::ACCEPTED]).await?;
        let id = answer.body["id"].as_str().context("an order has an id")?.parse()?;
        suite.accepted(id);
        order.id = Some(id);
        anyhow::Ok(())
    });
    placed.buffer_unordered(AT_ONCE).try_collect().await
}

async fn cancel(suite: &CrashSuite, order: &CellOrder<'_>) -> Result<()> {
    if let (Course::Cancelled, Some(id)) = (order.course, order.id) {
        let path = format!("/orders/{id}/cancellation");
        let cancel = || suite.request(Method::POST, "order", &path).json(&json!({}));
        suite.ask(cancel, &[StatusCode::ACCEPTED]).await?;
    }
    Ok(())
}

/// Starts shipping, and after it payment, so that they void the orders whose course says so. Inventory is still stopped: with the
/// stock reserved, payment would charge such an order before it hears of the voiding.
async fn void(suite: &CrashSuite, orders: &[CellOrder<'_>], delivery: Delivery) -> Result<()> {
    let voided = || {
        let voided = orders.iter().filter(|order| order.course.is_voided());
        voided.filter_map(|order| order.id)
    };
    for order in orders {
        let (Some(field), Some(id)) = (order.course.late_field(), order.id) else { continue };
        let url = suite.url("order", &format!("/orders/{id}"));
        suite.until("the deadlines have passed", &url, |order| order[field] == true).await?;
    }
    suite.start(&["shipping"]);
    for id in voided() {
        let url = suite.url("shipping", &format!("/shipments/{id}"));
        suite.until("the shipment is voided", &url, |it| it["status"] == "voided").await?;
    }
    if delivery == Delivery::Half {
        suite.until_quiet(&["shipping"]).await?;
        for id in voided() {
            let url = suite.url("order", &format!("/orders/{id}"));
            let is_cancelling = |order: &Value| order["status"] == "cancelling";
            suite.until("the order is cancelling", &url, is_cancelling).await?;
        }
        suite.stop(&["order"]).await;
    }
    suite.start(&["payment"]);
    for id in voided() {
        let url = suite.url("payment", &format!("/payments/{id}"));
        suite.until("the payment is voided", &url, |it| it["status"] == "voided").await?;
    }
    Ok(())
}

/// Waits until all orders have ended. The operator settles held requests and retries refused refunds.
async fn wait_for_ends(suite: &CrashSuite, orders: &[CellOrder<'_>]) -> Result<()> {
    if orders.iter().any(|order| order.course.refused().is_some()) {
        operator::operate(suite, orders).await?;
    }
    for order in orders.iter().filter(|order| order.course == Course::RefundRefused) {
        let Some(id) = order.id else { continue };
        let url = suite.url("payment", &format!("/payments/{id}"));
        suite.until("the refund is refused", &url, |it| it["status"] == "attention").await?;
        let path = format!("/admin/payments/{id}/refund");
        let retry = || suite.admin(Method::POST, "payment", &path);
        suite.ask(retry, &[StatusCode::ACCEPTED, StatusCode::CONFLICT]).await?;
    }
    for id in orders.iter().filter_map(|order| order.id) {
        let url = suite.url("order", &format!("/orders/{id}"));
        let has_ended =
            |order: &Value| matches!(order["status"].as_str(), Some("completed" | "cancelled"));
        suite.until("the order has ended", &url, has_ended).await?;
    }
    Ok(())
}

fn unique() -> String {
    uuid_v7(&SystemClock, &SystemRandom).simple().to_string()
}
