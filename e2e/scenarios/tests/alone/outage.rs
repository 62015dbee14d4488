//! The broker is away until nothing more can wait for it, or has deleted what was not read.

use reqwest::{Method, StatusCode};
use scenarios::{NewOrder, Suite, Visitor, until};
use store::Value;

/// Events that may wait, see the suite's options.
pub(crate) const OUTBOX: usize = 20;

pub(crate) async fn orders_are_refused_while_the_outbox_is_full(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(1_000).await);
    let order = NewOrder::of(&sku);
    let before = visitor.place(&order).await;
    visitor.until_ended(before, "completed").await;
    visitor.verdict().await;
    let pids = suite.service_pids();

    suite.broker().stop();
    let mut accepted = 0;
    let refused = loop {
        let answer = visitor.post("/orders", &order.0).await;
        if answer.status != StatusCode::ACCEPTED {
            break answer;
        }
        visitor.remember(&answer);
        accepted += 1;
        assert!(accepted <= 2 * OUTBOX, "more is taken than may wait");
    };
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.body);
    assert_eq!(refused.content_type, "application/problem+json", "{}", refused.body);
    assert_eq!(refused.body["status"], 503);
    let seconds = refused.retry_after.as_deref().and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{:?}", refused.retry_after);
    assert!(accepted > 0, "nothing was taken");
    // Nobody ends for want of a broker, and what was accepted can be read.
    let ready = visitor.send(visitor.request_to_order(Method::GET, "/health/ready")).await;
    assert_eq!(ready.status, StatusCode::OK);
    for order in visitor.accepted().into_iter().filter(|order| *order != before) {
        assert_eq!(visitor.order(order).await.status, "placed");
    }
    assert_eq!(suite.service_pids(), pids);

    suite.broker().go_on();
    // It asks until it is taken.
    visitor.place(&order).await;
    for order in visitor.accepted() {
        visitor.until_ended(order, "completed").await;
    }
    visitor.verdict().await;
}

pub(crate) async fn a_read_only_server_is_an_outage_that_readiness_tells(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(1_000).await);
    let order = NewOrder::of(&sku);
    let pids = suite.service_pids();
    set_read_only(suite, true).await;
    let refused = visitor.post("/orders", &order.0).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.body);
    let ready = visitor.send(visitor.request_to_order(Method::GET, "/health/ready")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{}", ready.body);
    assert!(ready.body["detail"].to_string().contains("read-only"), "{}", ready.body);

    set_read_only(suite, false).await;
    // It asks until it is taken.
    let taken = visitor.place(&order).await;
    visitor.until_ended(taken, "completed").await;
    until("the service is ready", async || {
        let ready = visitor.send(visitor.request_to_order(Method::GET, "/health/ready")).await;
        (ready.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(suite.service_pids(), pids);
}

/// Sets it for new sessions on order's database, and ends those that are there.
async fn set_read_only(suite: &Suite, on: bool) {
    let (server, url) = (suite.server().await, suite.says("/order/database"));
    let name = url.rsplit('/').next().expect("a database").to_owned();
    let set = format!("alter database \"{name}\" set default_transaction_read_only = {on}");
    server.fetch(&set, Vec::new()).await.expect("an operator may");
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    server.fetch(end, vec![Value::Text(name.into())]).await.expect("an operator may");
    server.close().await;
}

pub(crate) async fn what_was_deleted_unread_stops_the_service_until_somebody_accepts_it(
    visitor: Visitor,
) {
    let (suite, sku) = (visitor.suite(), visitor.product(5).await);
    let before = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(before, "completed").await;
    visitor.verdict().await;
    suite.stop("payment").await;
    let missed = visitor.place(&NewOrder::of(&sku)).await;
    for service in ["inventory", "shipping", "notification"] {
        let status = format!("{}/admin/status", suite.says(&format!("/{service}/admin_url")));
        until(&format!("{service} has read it"), async || {
            (visitor.get::<serde_json::Value>(&status).await["lag"] == 0).then_some(())
        })
        .await;
    }
    suite.delete_records("orders").await;

    // It is ready, as its database answers, and then it looks for its place.
    suite.ask(&["start", "payment"]).await;
    until("payment is left down with an exit code of its own", async || {
        let (_, said) = suite.audit("0s").await;
        said["waiting"].to_string().contains("exit code 65").then_some(())
    })
    .await;
    let log = suite.log("payment");
    let refusal = log.lines().rfind(|line| line.contains("payment stops")).unwrap_or_default();
    for said in ["orders[", "quintet-payment", "deleted unread", "earliest offset"] {
        assert!(refusal.contains(said), "{said} is not in: {refusal}");
    }

    // What the message says: somebody accepts the loss. The order ends by its deadline.
    let bus = suite.bus().await;
    bus.rewind("quintet-payment", &["orders"]).await.expect("a group without members");
    suite.begin("payment").await;
    visitor.until_ended(missed, "cancelled").await;
    visitor.verdict().await;
}
