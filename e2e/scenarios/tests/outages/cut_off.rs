//! One service cannot reach the broker, which takes it for dead, while the others can.

use contracts::OrderId;
use scenarios::{NewOrder, Visitor};

use crate::{away::outage, steady};

/// The one that is cut off.
const SERVICE: &str = "payment";

pub(crate) async fn a_service_whose_way_to_the_broker_is_cut_for_longer_than_its_session(
    visitor: Visitor,
) {
    without_payment(&visitor, |visitor| visitor.suite().ways().kafka.cut_off(SERVICE)).await;
}

pub(crate) async fn a_service_of_which_the_broker_hears_nothing_for_longer_than_its_session(
    visitor: Visitor,
) {
    without_payment(&visitor, |visitor| visitor.suite().ways().kafka.block(SERVICE)).await;
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
        // Nobody else is held up: the first waits for its payment, and what needs none ends.
        let first = visitor.place(&order).await;
        waits_for_its_payment(visitor, first).await;
        let other = visitor.place(&NewOrder::of(&sold_out)).await;
        visitor.until_ended(other, "cancelled").await;
        outage().await;
        waits_for_its_payment(visitor, first).await;
        suite.ways().kafka.heal();
    })
    .await;
    assert_eq!((answers.refused, answers.silence), (0, 0));
    assert!(!answers.accepted.is_empty());
    for order in answers.accepted {
        visitor.until_ended(order, "completed").await;
    }
    visitor.verdict().await;
    assert_eq!(suite.pid(SERVICE), pid, "it lived through it");
}

async fn waits_for_its_payment(visitor: &Visitor, order: OrderId) {
    let order = visitor.until(order, "reserved", |order| order.status == "reserved").await;
    assert_eq!(order.count("PaymentCaptured"), 0);
}
