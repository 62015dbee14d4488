//! Orders that take too long, on a suite with short deadlines.

use audit::RefundStatus;
use contracts::CancelReason;
use reqwest::StatusCode;
use scenarios::{NewOrder, OrderView, Visitor};
use serde_json::json;

pub(crate) async fn a_refused_refund_needs_an_operator(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = NewOrder::of(&sku).token("tok_refund_refused").unreachable();
    let order = visitor.place(&order).await;
    visitor.until_status("payment", "payments", order, "attention").await;
    let view = visitor.until(order, "past its deadlines", |view| view.needs_attention).await;
    assert_eq!(view.status, "cancelling", "{view:?}");
    assert!(view.waits_for().contains(&"payment"), "{view:?}");
    assert_eq!(visitor.retry_refund(order).await.status, StatusCode::ACCEPTED);
    let view = visitor.until_ended(order, "cancelled").await;
    assert!(!view.needs_attention && view.attention.is_none(), "{view:?}");
    assert_eq!(view.count("PaymentRefunded"), 1);
    let refunds = visitor.ledger(order).await.refunds;
    let refunded = refunds.iter().filter(|refund| refund.status == RefundStatus::Refunded).count();
    assert_eq!((refunds.len(), refunded), (2, 1), "{refunds:?}");
    // After the refund there is nothing to retry.
    assert_eq!(visitor.retry_refund(order).await.status, StatusCode::CONFLICT);
    visitor.assert_sound().await;
}

pub(crate) async fn the_provider_is_down_past_the_deadline(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.faults(json!({"payment": {"outage": true}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until(order, "being cancelled", |view| view.cancellation_requested).await;
    let view = visitor.until(order, "past its deadlines", |view| view.needs_attention).await;
    // The order must not end, because it is not known whether it was charged.
    assert_eq!((&*view.status, view.reason), ("cancelling", Some(CancelReason::Deadline)));
    assert!(view.waits_for().contains(&"payment"), "{view:?}");
    visitor.faults(json!({})).await;
    let view = visitor.until_ended(order, "cancelled").await;
    assert!(!view.needs_attention, "{view:?}");
    let ledger = visitor.ledger(order).await;
    assert_eq!((ledger.charges.len(), ledger.refunds.len()), (1, 1), "{ledger:?}");
    visitor.assert_sound().await;
}

pub(crate) async fn an_unpaid_order_does_not_keep_its_stock(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.faults(json!({"payment": {"outage": true}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    // It is not known whether the order was charged, but its stock is released.
    let released = |view: &OrderView| view.count("StockReleased") == 1;
    let view = visitor.until(order, "without stock", released).await;
    assert_eq!((&*view.status, view.reason), ("cancelling", Some(CancelReason::Deadline)));
    assert!(!view.needs_attention, "{view:?}");
    visitor.faults(json!({})).await;
    let other = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(other, "completed").await;
    visitor.until_ended(order, "cancelled").await;
    visitor.assert_sound().await;
}

pub(crate) async fn the_carrier_is_down_past_the_deadline(visitor: Visitor) {
    let sku = visitor.product(1).await;
    visitor.faults(json!({"carrier": {"outage": true}})).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    let view = visitor.until(order, "past its deadlines", |view| view.needs_attention).await;
    assert_eq!(view.waits_for(), ["shipping"], "{view:?}");
    visitor.faults(json!({})).await;
    // The carrier had the booking already, so the order completes.
    let view = visitor.until_ended(order, "completed").await;
    assert!(view.cancellation_requested && !view.needs_attention, "{view:?}");
    visitor.assert_sound().await;
}
