//! A customer cancels before, during and after the payment. These scenarios stop services and change how the providers behave,
//! so they run one after the other.

use contracts::CancelReason;
use reqwest::StatusCode;
use scenarios::{NewOrder, Visitor};
use serde_json::json;

/// How many milliseconds a slow provider takes: long enough to cancel meanwhile, shorter than the time-out of an attempt.
const SLOW: u64 = 1_500;

pub(crate) async fn before_the_stock_is_reserved(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.suite().stop_program("inventory").await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    assert_eq!(visitor.cancel(order).await.status, StatusCode::ACCEPTED);
    visitor.until(order, "voided", |it| it.count("PaymentVoided") == 1).await;
    visitor.suite().start_program("inventory").await;
    let view = visitor.until_ended(order, "cancelled").await;
    assert_eq!(view.reason, Some(CancelReason::CustomerRequest));
    assert!(visitor.ledger(order).await.charges.is_empty());
    visitor.assert_sound().await;
}

pub(crate) async fn before_the_payment(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.suite().stop_program("payment").await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until(order, "reserved", |it| it.status == "reserved").await;
    let cancelled = visitor.cancel(order).await;
    assert_eq!(cancelled.status, StatusCode::ACCEPTED);
    assert_eq!(cancelled.body["cancellation_requested"], true);
    visitor.until(order, "released", |it| it.count("StockReleased") == 1).await;
    visitor.suite().start_program("payment").await;
    let view = visitor.until_ended(order, "cancelled").await;
    assert_eq!(view.reason, Some(CancelReason::CustomerRequest));
    visitor.assert_sound().await;
    // `StockReserved` and the cancellation are on different topics, so payment may read either first. It charges and refunds,
    // or does neither.
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
    visitor.assert_sound().await;
}

pub(crate) async fn too_late(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.faults(json!({"carrier": {"latency_ms": SLOW}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_status("shipping", "shipments", order, "booking").await;
    let answer = visitor.cancel(order).await;
    assert_eq!((answer.status, &answer.body["status"]), (StatusCode::ACCEPTED, &json!("paid")));
    let view = visitor.until_ended(order, "completed").await;
    visitor.faults(json!({})).await;
    assert!(view.cancellation_requested, "{view:?}");
    assert_eq!((view.reason, view.count("OrderCancellationRequested")), (None, 1));
    assert_eq!(visitor.cancel(order).await.status, StatusCode::CONFLICT);
    visitor.assert_sound().await;
}
