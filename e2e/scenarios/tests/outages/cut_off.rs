//! One service cannot reach the broker for longer than its session, while the others can.

use contracts::OrderId;
use scenarios::{NewOrder, Visitor};

use crate::{away::outage, steady};

/// The service that is cut off.
const SERVICE: &str = "payment";

pub(crate) async fn connections_of_a_service_are_closed_for_longer_than_its_session(
    visitor: Visitor,
) {
    without_payment(&visitor, |visitor| visitor.suite().proxies().kafka.cut_off(SERVICE)).await;
}

pub(crate) async fn packets_of_a_service_are_held_back_for_longer_than_its_session(
    visitor: Visitor,
) {
    without_payment(&visitor, |visitor| visitor.suite().proxies().kafka.block(SERVICE)).await;
}

async fn without_payment(visitor: &Visitor, cut: fn(&Visitor)) {
    let (suite, sku) = (visitor.suite(), visitor.product(10_000).await);
    let sold_out = visitor.product(0).await;
    let order = NewOrder::of(&sku);
    let before = visitor.place(&order).await;
    visitor.until_ended(before, "completed").await;
    let pid = suite.pid(SERVICE);

    let answers = steady::orders(visitor, &order, async {
        cut(visitor);
        // No other service is affected: an order that needs no payment ends.
        let first = visitor.place(&order).await;
        waits_for_its_payment(visitor, first).await;
        let other = visitor.place(&NewOrder::of(&sold_out)).await;
        visitor.until_ended(other, "cancelled").await;
        outage().await;
        waits_for_its_payment(visitor, first).await;
        suite.proxies().kafka.heal();
    })
    .await;
    assert_eq!((answers.refused, answers.unanswered), (0, 0));
    assert!(!answers.accepted.is_empty());
    for order in answers.accepted {
        visitor.until_ended(order, "completed").await;
    }
    visitor.assert_sound().await;
    assert_eq!(suite.pid(SERVICE), pid, "{SERVICE} was restarted");
}

async fn waits_for_its_payment(visitor: &Visitor, order: OrderId) {
    let order = visitor.until(order, "reserved", |order| order.status == "reserved").await;
    assert_eq!(order.count("PaymentCaptured"), 0);
}
