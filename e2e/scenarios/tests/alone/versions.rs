//! A rolling upgrade: one service still publishes an earlier version of an event.

use scenarios::{NewOrder, PATIENCE, READER, Visitor};
use tokio::time::timeout;

pub(crate) async fn order_publishes_the_first_version(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let completed = visitor.place(&NewOrder::of(&sku).quantity(2)).await;
    let cancelled = visitor.place(&NewOrder::of(&sku).unreachable()).await;
    visitor.until_ended(completed, "completed").await;
    visitor.until_ended(cancelled, "cancelled").await;
    let placed = placed_versions(&visitor).await;
    assert_eq!(placed, ["v1", "v1"]);
    visitor.assert_sound().await;
}

/// The versions of the first two `OrderPlaced` on the bus.
async fn placed_versions(visitor: &Visitor) -> Vec<String> {
    let bus = visitor.suite().bus().await;
    let mut consumer = bus.consumer(READER, &["orders"]).await.expect("the topic exists");
    let mut versions = Vec::new();
    while versions.len() < 2 {
        let records = timeout(PATIENCE, consumer.receive(100)).await.expect("in time");
        for record in records.expect("records") {
            let schema = record.headers.get("ce_dataschema").expect("an event names its schema");
            let schema = String::from_utf8_lossy(schema);
            let version = schema.strip_prefix("urn:quintet:schemas:order_placed:");
            versions.extend(version.map(ToOwned::to_owned));
        }
    }
    consumer.close().await.expect("the consumer leaves its group");
    versions
}
