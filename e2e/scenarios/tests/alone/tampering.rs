//! The audit that ends every scenario finds what is wrong in a running suite.

use audit::{Subject, audit};
use scenarios::{NewOrder, Visitor};
use store::Value;

pub(crate) async fn the_audit_finds_what_somebody_broke(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
    visitor.verdict_on_all().await;

    let lose = "update product set on_hand = on_hand - 1 where sku = $1";
    break_something(&visitor, "inventory", lose, sku.clone().into()).await;
    let forget = "delete from payment where order_id = $1";
    break_something(&visitor, "payment", forget, order.into()).await;

    let report = audit(&visitor.snapshot().await, Some(&visitor.accepted()));
    let broken: Vec<(u8, &Subject)> = report
        .invariants
        .iter()
        .flat_map(|invariant| invariant.offences.iter().map(|it| (invariant.number, &it.subject)))
        .collect();
    let (order, sku) = (Subject::Order(order), Subject::Sku(sku));
    assert_eq!(broken, [(2, &order), (4, &sku), (5, &order)], "{report}");
}

async fn break_something(visitor: &Visitor, service: &str, sql: &str, key: Value) {
    let db = visitor.suite().database(service).await;
    let mut tx = db.begin().await.expect("a transaction");
    let changed = tx.execute(sql, vec![key]).await.expect("it is changed");
    tx.commit().await.expect("it commits");
    db.close().await;
    assert_eq!(changed, 1, "{service} has nothing to break");
}
