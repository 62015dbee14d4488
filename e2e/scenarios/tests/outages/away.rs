//! The broker, and then PostgreSQL, are away for long, while orders keep coming.

use std::time::Duration;

use scenarios::{NewOrder, Visitor};
use tokio::time::sleep;

use crate::steady;

const VARIABLE: &str = "QUINTET_TEST_OUTAGE";
/// Longer than a Kafka group waits for its members, and than order waits until it refuses.
const SECONDS: u64 = 10;

/// How long what is away is away: the one thing here that is to be waited out.
pub(crate) async fn outage() {
    let seconds = std::env::var(VARIABLE).map_or(SECONDS, |seconds| {
        seconds.parse().unwrap_or_else(|_| panic!("{VARIABLE}={seconds} must be seconds"))
    });
    sleep(Duration::from_secs(seconds)).await;
}

pub(crate) async fn the_broker_and_then_postgres_are_away_under_steady_orders(visitor: Visitor) {
    let (suite, sku) = (visitor.suite(), visitor.product(100_000).await);
    let order = NewOrder::of(&sku);
    let before = visitor.place(&order).await;
    visitor.until_ended(before, "completed").await;
    let pids = suite.service_pids();

    // What an order needs is taken all the same: its events wait.
    let without_broker = steady::orders(&visitor, &order, async {
        suite.broker().stop();
        outage().await;
        suite.broker().go_on();
    })
    .await;
    assert_eq!((without_broker.refused, without_broker.silence), (0, 0));
    assert!(!without_broker.accepted.is_empty());
    visitor.verdict().await;

    let without_postgres = steady::orders(&visitor, &order, async {
        suite.ways().postgres.cut();
        outage().await;
        suite.ways().postgres.heal();
    })
    .await;
    assert!(without_postgres.refused > 0, "{without_postgres:?}");
    assert_eq!(without_postgres.silence, 0);
    visitor.place(&order).await;
    visitor.verdict().await;
    // Each lived through it.
    assert_eq!(suite.service_pids(), pids);
    println!(
        "without the broker {} accepted; without PostgreSQL {} accepted, {} refused",
        without_broker.accepted.len(),
        without_postgres.accepted.len(),
        without_postgres.refused
    );
}
