//! Every event is delivered a second time, and nothing changes.

use std::collections::BTreeMap;

use contracts::{OrderId, Sku};
use scenarios::{NewOrder, OrderView, Visitor, services, topics};
use serde_json::Value;

pub(crate) async fn every_event_is_delivered_again(visitor: Visitor) {
    let before = thirty_orders(&visitor).await;
    rewind(&visitor, async || {}).await;
    visitor.assert_sound().await;
    let snapshot = visitor.snapshot().await;
    for service in services() {
        let status = snapshot.status[service];
        assert!(status.duplicates > 0, "{service} received no event twice: {status:?}");
    }
    assert_same(&before, &VisibleState::of(&visitor).await);
}

pub(crate) async fn every_event_is_delivered_again_after_the_inboxes_were_emptied(
    visitor: Visitor,
) {
    let before = thirty_orders(&visitor).await;
    rewind(&visitor, async || empty_inboxes(&visitor).await).await;
    visitor.assert_sound().await;
    let snapshot = visitor.snapshot().await;
    for service in services() {
        assert!(snapshot.status[service].batches > 0, "{service} applied no batch");
    }
    assert_same(&before, &VisibleState::of(&visitor).await);
}

/// Places thirty orders that end in all ways, and waits until they have ended.
async fn thirty_orders(visitor: &Visitor) -> VisibleState {
    let sku = visitor.product(40).await;
    visitor.place_all((0..30).map(|nth| mixed(&sku, nth)).collect(), |_| {}).await;
    for (nth, order) in visitor.accepted().into_iter().enumerate() {
        if nth % 5 == 0 {
            // The cancellation may come too late. Then the order has completed.
            visitor.cancel(order).await;
        }
        visitor.until(order, "ended", OrderView::has_ended).await;
    }
    visitor.assert_sound().await;
    VisibleState::of(visitor).await
}

fn mixed(sku: &Sku, nth: i64) -> NewOrder {
    let order = NewOrder::of(sku);
    match nth % 8 {
        0 => order.token("tok_declined"),
        1 => order.unreachable(),
        2 => order.token("tok_unknown"),
        3 => order.quantity(1_000),
        4 => order.token("tok_flaky"),
        5 => order.bouncing(),
        _ => order.quantity(1 + nth % 2),
    }
}

/// Stops all services, sets every group back to the beginning of every topic, runs `while_stopped`, and starts the services
/// again.
async fn rewind(visitor: &Visitor, while_stopped: impl AsyncFnOnce()) {
    let suite = visitor.suite();
    for service in services() {
        suite.stop_program(service).await;
    }
    let bus = suite.bus().await;
    for service in services() {
        let rewound = bus.rewind(&format!("quintet-{service}"), &topics()).await;
        rewound.expect("a group without members can be set back");
    }
    while_stopped().await;
    for service in services() {
        suite.start_program(service).await;
    }
}

async fn empty_inboxes(visitor: &Visitor) {
    for service in services() {
        let db = visitor.suite().database(service).await;
        let mut tx = db.begin().await.expect("a transaction");
        let deleted = tx.execute("delete from inbox", Vec::new()).await.expect("rows are deleted");
        tx.commit().await.expect("the deletion is committed");
        db.close().await;
        assert!(deleted > 0, "the inbox of {service} was empty");
    }
}

/// All that can be seen of a suite: the rows of the services, the orders' timelines, and the ledger.
#[derive(Debug, PartialEq)]
struct VisibleState {
    rows: BTreeMap<&'static str, Vec<Value>>,
    timelines: BTreeMap<OrderId, OrderView>,
    ledger: Value,
}

impl VisibleState {
    async fn of(visitor: &Visitor) -> Self {
        let mut rows = BTreeMap::new();
        for service in services() {
            let admin = visitor.suite().up_json_text(&format!("/{service}/admin_url"));
            let page: Value = visitor.get(&format!("{admin}/admin/rows?limit=5000")).await;
            assert!(page["next"].is_null(), "{service} has more rows than one page");
            rows.insert(service, page["rows"].as_array().expect("rows").clone());
        }
        let mut timelines = BTreeMap::new();
        for order in visitor.accepted() {
            timelines.insert(order, visitor.order(order).await);
        }
        let sandbox = visitor.suite().up_json_text("/sandbox/url");
        Self { rows, timelines, ledger: visitor.get(&format!("{sandbox}/ledger")).await }
    }
}

fn assert_same(before: &VisibleState, after: &VisibleState) {
    assert_eq!(before.rows, after.rows);
    assert_eq!(before.timelines, after.timelines);
    assert_eq!(before.ledger, after.ledger);
}
