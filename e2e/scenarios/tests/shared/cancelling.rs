//! A customer cancels: before, while and after the money moves. These change how the outside world
//! behaves, so each has the suite to itself.

use contracts::CancelReason;
use reqwest::StatusCode;
use scenarios::{NewOrder, Visitor};
use serde_json::json;

/// Long enough to cancel meanwhile, shorter than an attempt may take.
const SLOW: u64 = 1_500;

pub(crate) async fn before_the_stock_is_reserved(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.suite().stop("inventory").await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    assert_eq!(visitor.cancel(order).await.status, StatusCode::ACCEPTED);
    visitor.until(order, "voided", |it| it.count("PaymentVoided") == 1).await;
    visitor.suite().begin("inventory").await;
    let view = visitor.until_ended(order, "cancelled").await;
    assert_eq!(view.reason, Some(CancelReason::CustomerRequest));
    assert!(visitor.ledger(order).await.charges.is_empty());
    visitor.verdict().await;
}

pub(crate) async fn before_the_payment(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.suite().stop("payment").await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until(order, "reserved", |it| it.status == "reserved").await;
    let cancelled = visitor.cancel(order).await;
    assert_eq!(cancelled.status, StatusCode::ACCEPTED);
    assert_eq!(cancelled.body["cancellation_requested"], true);
    visitor.until(order, "released", |it| it.count("StockReleased") == 1).await;
    visitor.suite().begin("payment").await;
    let view = visitor.until_ended(order, "cancelled").await;
    assert_eq!(view.reason, Some(CancelReason::CustomerRequest));
    visitor.verdict().await;
    // Whether payment was told to charge or to void first is not decided between topics.
    let ledger = visitor.ledger(order).await;
    assert_eq!(ledger.charges.len(), ledger.refunds.len());
}

pub(crate) async fn during_the_payment(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.faults(json!({"payment": {"latency_ms": SLOW}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_status("payment", "payments", order, "charging").await;
    assert_eq!(visitor.cancel(order).await.status, StatusCode::ACCEPTED);
    visitor.until_status("payment", "payments", order, "charging_undo").await;
    let view = visitor.until_ended(order, "cancelled").await;
    visitor.faults(json!({})).await;
    assert_eq!(view.reason, Some(CancelReason::CustomerRequest));
    assert_eq!((view.count("PaymentCaptured"), view.count("PaymentRefunded")), (0, 1), "{view:?}");
    let ledger = visitor.ledger(order).await;
    assert_eq!((ledger.charges.len(), ledger.refunds.len(), ledger.bookings.len()), (1, 1, 0));
    visitor.verdict().await;
}

pub(crate) async fn too_late(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.faults(json!({"carrier": {"latency_ms": SLOW}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_status("shipping", "shipments", order, "booking").await;
    let asked = visitor.cancel(order).await;
    assert_eq!((asked.status, &asked.body["status"]), (StatusCode::ACCEPTED, &json!("paid")));
    let view = visitor.until_ended(order, "completed").await;
    visitor.faults(json!({})).await;
    assert!(view.cancellation_requested, "{view:?}");
    assert_eq!((view.reason, view.count("OrderCancellationRequested")), (None, 1));
    assert_eq!(visitor.cancel(order).await.status, StatusCode::CONFLICT);
    visitor.verdict().await;
}
