//! The broker is away until nothing more can wait for it.

use reqwest::{Method, StatusCode};
use scenarios::{NewOrder, SERVICES, Visitor};

/// Events that may wait, see the suite's options.
pub(crate) const OUTBOX: usize = 20;

pub(crate) async fn orders_are_refused_while_the_outbox_is_full(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(1_000).await);
    let order = NewOrder::of(&sku);
    let before = visitor.place(&order).await;
    visitor.until_ended(before, "completed").await;
    visitor.verdict().await;
    let pids = SERVICES.map(|service| suite.pid(service));

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
    assert_eq!(SERVICES.map(|service| suite.pid(service)), pids);

    suite.broker().go_on();
    // It asks until it is taken.
    visitor.place(&order).await;
    for order in visitor.accepted() {
        visitor.until_ended(order, "completed").await;
    }
    visitor.verdict().await;
}
