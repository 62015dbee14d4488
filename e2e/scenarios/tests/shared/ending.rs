//! How orders end, by the answers of the providers.

use audit::{BookingStatus, ChargeStatus, RefundStatus};
use contracts::CancelReason;
use futures::future::join;
use scenarios::{NewOrder, OrderView, Visitor};

pub(crate) async fn completed(visitor: Visitor) {
    let sku = visitor.product(3).await;
    let order = visitor.place(&NewOrder::of(&sku).quantity(2)).await;
    let view = visitor.until_ended(order, "completed").await;
    assert_eq!((view.total.amount_minor, view.reason), (2 * 1298, None));
    assert!(!view.cancellation_requested && !view.needs_attention, "{view:?}");
    let mails_are_sent = |view: &OrderView| view.count("NotificationSent") == 2;
    let view = visitor.until(order, "notified twice", mails_are_sent).await;
    for event in
        ["OrderPlaced", "StockReserved", "PaymentCaptured", "ShipmentDispatched", "OrderCompleted"]
    {
        assert_eq!(view.count(event), 1, "{event}: {view:?}");
    }
    let seqs: Vec<i64> = view.timeline.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=7).collect::<Vec<_>>());
    visitor.assert_sound().await;
}

pub(crate) async fn out_of_stock(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = visitor.place(&NewOrder::of(&sku).quantity(2)).await;
    let view = visitor.until_ended(order, "cancelled").await;
    assert_eq!(view.reason, Some(CancelReason::OutOfStock));
    assert!(visitor.ledger(order).await.charges.is_empty());
    visitor.assert_sound().await;
}

pub(crate) async fn declined(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = visitor.place(&NewOrder::of(&sku).token("tok_declined")).await;
    let view = visitor.until_ended(order, "cancelled").await;
    assert_eq!(view.reason, Some(CancelReason::PaymentDeclined));
    let charges = visitor.ledger(order).await.charges;
    assert_eq!(charges.len(), 1);
    assert_eq!(charges[0].status, ChargeStatus::Declined);
    // The reserved piece can be sold again.
    let next = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(next, "completed").await;
    visitor.assert_sound().await;
}

pub(crate) async fn the_answer_to_the_charge_is_lost(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = visitor.place(&NewOrder::of(&sku).token("tok_unknown")).await;
    visitor.until_ended(order, "completed").await;
    let charges = visitor.ledger(order).await.charges;
    assert_eq!(charges.len(), 1, "charged twice: {charges:?}");
    assert!(charges[0].requests >= 2, "payment did not repeat the request: {charges:?}");
    visitor.assert_sound().await;
}

pub(crate) async fn flaky_provider(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = visitor.place(&NewOrder::of(&sku).token("tok_flaky")).await;
    visitor.until_ended(order, "completed").await;
    let charges = visitor.ledger(order).await.charges;
    assert_eq!(charges.len(), 1, "charged twice: {charges:?}");
    visitor.assert_sound().await;
}

pub(crate) async fn the_carrier_refuses(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = visitor.place(&NewOrder::of(&sku).unreachable()).await;
    let view = visitor.until_ended(order, "cancelled").await;
    assert_eq!(view.reason, Some(CancelReason::ShipmentFailed));
    assert_eq!((view.count("PaymentRefunded"), view.count("StockReleased")), (1, 1), "{view:?}");
    let ledger = visitor.ledger(order).await;
    assert_eq!((ledger.charges.len(), ledger.refunds.len(), ledger.bookings.len()), (1, 1, 1));
    assert_eq!(ledger.refunds[0].status, RefundStatus::Refunded);
    assert_eq!(ledger.bookings[0].status, BookingStatus::Refused);
    visitor.assert_sound().await;
}

pub(crate) async fn two_orders_for_the_last_unit(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = NewOrder::of(&sku);
    let (one, other) = join(visitor.place(&order), visitor.place(&order)).await;
    let ended = |id| visitor.until(id, "ended", OrderView::has_ended);
    let (one, other) = join(ended(one), ended(other)).await;
    let mut ends = [one.status, other.status];
    ends.sort();
    assert_eq!(ends, ["cancelled", "completed"]);
    visitor.assert_sound().await;
}

pub(crate) async fn mail_bounces(visitor: Visitor) {
    let sku = visitor.product(1).await;
    let order = visitor.place(&NewOrder::of(&sku).bouncing()).await;
    visitor.until_ended(order, "completed").await;
    let mails_failed = |view: &OrderView| view.count("NotificationFailed") == 2;
    visitor.until(order, "without its two mails", mails_failed).await;
    assert!(visitor.ledger(order).await.mails.is_empty());
    visitor.assert_sound().await;
}
