//! Every event is delivered a second time: nothing changes.

use std::collections::BTreeMap;

use contracts::{OrderId, Sku};
use scenarios::{NewOrder, OrderView, Visitor, services, topics};
use serde_json::Value;

pub(crate) async fn everything_again(visitor: Visitor) {
    let before = thirty_orders(&visitor).await;
    rewind(&visitor, async || {}).await;
    visitor.verdict().await;
    let snapshot = visitor.snapshot().await;
    for service in services() {
        let status = snapshot.status[service];
        assert!(status.duplicates > 0, "{service} saw nothing twice: {status:?}");
    }
    assert_same(&before, &Everything::of(&visitor).await);
}

pub(crate) async fn everything_again_without_the_inboxes(visitor: Visitor) {
    let before = thirty_orders(&visitor).await;
    rewind(&visitor, async || empty_inboxes(&visitor).await).await;
    visitor.verdict().await;
    let snapshot = visitor.snapshot().await;
    for service in services() {
        assert!(snapshot.status[service].turns > 0, "{service} saw nothing again");
    }
    assert_same(&before, &Everything::of(&visitor).await);
}

/// Orders of every kind, all ended.
async fn thirty_orders(visitor: &Visitor) -> Everything {
    let sku = visitor.product(40).await;
    visitor.place_all((0..30).map(|nth| kind(&sku, nth)).collect(), |_| {}).await;
    for (nth, order) in visitor.accepted().into_iter().enumerate() {
        if nth % 5 == 0 {
            // It may be too late, and then the order has ended completed.
            visitor.cancel(order).await;
        }
        visitor.until(order, "ended", OrderView::has_ended).await;
    }
    visitor.verdict().await;
    Everything::of(visitor).await
}

fn kind(sku: &Sku, nth: i64) -> NewOrder {
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

/// Stops all services, sets every group back to the beginning of every topic, does what is asked
/// for, and starts them again.
async fn rewind(visitor: &Visitor, meanwhile: impl AsyncFnOnce()) {
    let suite = visitor.suite();
    for service in services() {
        suite.stop(service).await;
    }
    let bus = suite.bus().await;
    for service in services() {
        let rewound = bus.rewind(&format!("quintet-{service}"), &topics()).await;
        rewound.expect("a group without members can be set back");
    }
    meanwhile().await;
    for service in services() {
        suite.begin(service).await;
    }
}

async fn empty_inboxes(visitor: &Visitor) {
    for service in services() {
        let db = visitor.suite().database(service).await;
        let mut tx = db.begin().await.expect("a transaction");
        let forgotten = tx.execute("delete from inbox", Vec::new()).await.expect("it is emptied");
        tx.commit().await.expect("it commits");
        db.close().await;
        assert!(forgotten > 0, "{service} remembered nothing");
    }
}

/// All that anybody can see.
#[derive(Debug, PartialEq)]
struct Everything {
    rows: BTreeMap<&'static str, Vec<Value>>,
    timelines: BTreeMap<OrderId, OrderView>,
    ledger: Value,
}

impl Everything {
    async fn of(visitor: &Visitor) -> Self {
        let mut rows = BTreeMap::new();
        for service in services() {
            let admin = visitor.suite().says(&format!("/{service}/admin_url"));
            let page: Value = visitor.get(&format!("{admin}/admin/rows?limit=5000")).await;
            assert!(page["next"].is_null(), "more rows than a page");
            rows.insert(service, page["rows"].as_array().expect("rows").clone());
        }
        let mut timelines = BTreeMap::new();
        for order in visitor.accepted() {
            timelines.insert(order, visitor.order(order).await);
        }
        let sandbox = visitor.suite().says("/sandbox/url");
        Self { rows, timelines, ledger: visitor.get(&format!("{sandbox}/ledger")).await }
    }
}

fn assert_same(before: &Everything, after: &Everything) {
    assert_eq!(before.rows, after.rows);
    assert_eq!(before.timelines, after.timelines);
    assert_eq!(before.ledger, after.ledger);
}
