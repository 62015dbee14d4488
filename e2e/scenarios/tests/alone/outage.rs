//! The broker is down until the outbox is full, PostgreSQL is read-only, or the broker has deleted unread records.

use reqwest::{Method, StatusCode};
use scenarios::{NewOrder, TestSuite, Visitor, until};
use store::Value;

/// The limit of order's outbox in events.
pub(crate) const OUTBOX: usize = 20;

pub(crate) async fn orders_are_refused_while_the_outbox_is_full(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(1_000).await);
    let order = NewOrder::of(&sku);
    let before = visitor.place(&order).await;
    visitor.until_ended(before, "completed").await;
    visitor.assert_sound().await;
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
        assert!(accepted <= 2 * OUTBOX, "orders are accepted beyond the limit of the outbox");
    };
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.body);
    assert_eq!(refused.content_type, "application/problem+json", "{}", refused.body);
    assert_eq!(refused.body["status"], 503);
    let seconds = refused.retry_after.as_deref().and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{:?}", refused.retry_after);
    assert!(accepted > 0, "no order was accepted before the outbox was full");
    // No service exits because the broker is down, and accepted orders can be read.
    let ready = visitor.send(visitor.request_to_order(Method::GET, "/health/ready")).await;
    assert_eq!(ready.status, StatusCode::OK);
    for order in visitor.accepted().into_iter().filter(|order| *order != before) {
        assert_eq!(visitor.order(order).await.status, "placed");
    }
    assert_eq!(suite.service_pids(), pids);

    suite.broker().go_on();
    // `place` repeats the request until the service accepts it.
    visitor.place(&order).await;
    for order in visitor.accepted() {
        visitor.until_ended(order, "completed").await;
    }
    visitor.assert_sound().await;
}

pub(crate) async fn readiness_reports_a_read_only_server_as_an_outage(visitor: Visitor) {
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
    // `place` repeats the request until the service accepts it.
    let accepted = visitor.place(&order).await;
    visitor.until_ended(accepted, "completed").await;
    until("the service is ready", async || {
        let ready = visitor.send(visitor.request_to_order(Method::GET, "/health/ready")).await;
        (ready.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(suite.service_pids(), pids);
}

/// Makes new sessions on order's database read-only or writable, and ends the present ones.
async fn set_read_only(suite: &TestSuite, on: bool) {
    let (server, url) = (suite.server().await, suite.up_json_text("/order/database"));
    let name = url.rsplit('/').next().expect("a database").to_owned();
    let set = format!("alter database \"{name}\" set default_transaction_read_only = {on}");
    server.fetch(&set, Vec::new()).await.expect("an administrator may do this");
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    server.fetch(end, vec![Value::Text(name.into())]).await.expect("an administrator may do this");
    server.close().await;
}

pub(crate) async fn records_deleted_unread_stop_the_service_until_an_operator_accepts_the_loss(
    visitor: Visitor,
) {
    let (suite, sku) = (visitor.suite(), visitor.product(5).await);
    let before = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(before, "completed").await;
    visitor.assert_sound().await;
    suite.stop_program("payment").await;
    let missed = visitor.place(&NewOrder::of(&sku)).await;
    for service in ["inventory", "shipping", "notification"] {
        let status =
            format!("{}/admin/status", suite.up_json_text(&format!("/{service}/admin_url")));
        until(&format!("{service} has read it"), async || {
            (visitor.get::<serde_json::Value>(&status).await["lag"] == 0).then_some(())
        })
        .await;
    }
    suite.delete_records("orders").await;

    // `start` may succeed: the service is ready as soon as its database answers, and only then reads its offsets.
    suite.run_quintet(&["start", "payment"]).await;
    until("payment is left down with exit code 65", async || {
        let (_, report) = suite.audit("0s").await;
        report["waiting"].to_string().contains("exit code 65").then_some(())
    })
    .await;
    let log = suite.log("payment");
    let refusal = log.lines().rfind(|line| line.contains("payment stops")).unwrap_or_default();
    for expected in ["orders[", "quintet-payment", "deleted unread", "earliest offset"] {
        assert!(refusal.contains(expected), "{expected} is not in: {refusal}");
    }

    // The operator accepts the loss as the message says. The missed order ends by its deadline.
    let bus = suite.bus().await;
    bus.rewind("quintet-payment", &["orders"]).await.expect("a group without members");
    suite.start_program("payment").await;
    visitor.until_ended(missed, "cancelled").await;
    visitor.assert_sound().await;
}
