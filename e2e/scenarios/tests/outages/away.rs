//! The broker, and after it PostgreSQL, is down for long while orders arrive.

use std::time::Duration;

use scenarios::{NewOrder, Visitor};
use tokio::time::sleep;

use crate::steady;

const VARIABLE: &str = "QUINTET_TEST_OUTAGE";
/// Longer than the session time-out of a Kafka group, and than the time after which order refuses new orders.
const SECONDS: u64 = 10;

/// Waits for the length of the outage. This test is about the length of time, so it sleeps and waits for no condition.
pub(crate) async fn outage() {
    let seconds = std::env::var(VARIABLE).map_or(SECONDS, |seconds| {
        seconds.parse().unwrap_or_else(|_| panic!("{VARIABLE}={seconds}: write whole seconds"))
    });
    sleep(Duration::from_secs(seconds)).await;
}

pub(crate) async fn the_broker_and_then_postgres_are_down_under_steady_orders(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(100_000).await);
    let order = NewOrder::of(&sku);
    let before = visitor.place(&order).await;
    visitor.until_ended(before, "completed").await;
    let pids = suite.service_pids();

    // Without the broker orders are accepted, and their events wait in the outbox.
    let without_broker = steady::orders(&visitor, &order, async {
        suite.broker().stop();
        outage().await;
        suite.broker().go_on();
    })
    .await;
    assert_eq!((without_broker.refused, without_broker.unanswered), (0, 0));
    assert!(!without_broker.accepted.is_empty());
    visitor.assert_sound().await;

    let without_postgres = steady::orders(&visitor, &order, async {
        suite.proxies().postgres.cut();
        outage().await;
        suite.proxies().postgres.heal();
    })
    .await;
    assert!(without_postgres.refused > 0, "{without_postgres:?}");
    assert_eq!(without_postgres.unanswered, 0);
    visitor.place(&order).await;
    visitor.assert_sound().await;
    // No service was restarted.
    assert_eq!(suite.service_pids(), pids);
    println!(
        "without the broker {} accepted; without PostgreSQL {} accepted, {} refused",
        without_broker.accepted.len(),
        without_postgres.accepted.len(),
        without_postgres.refused
    );
}
