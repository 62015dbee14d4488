//! Two replicas of a service apply inputs about one order at the same time, on one PostgreSQL database, because
//! events of different topics may reach different replicas. However their transactions interleave, the result is
//! that of some order of the two inputs.

use contracts::EventType::{
    self, OrderCancellationRequested, OrderCancelled, OrderCompleted, OrderPlaced, PaymentCaptured,
    PaymentVoided, ProductListed, ShipmentDispatched, ShipmentVoided, StockReleased, StockReserved,
};
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use quintet_test::conformance::{AtOnce, Says, replicas};
use saga::OrderSaga;
use shipping::ShippingService;

use Says::{Answer, Command, Event, OfAnother, Ring};

#[tokio::test]
async fn payment() {
    const CHARGING: &[Says<EventType>] = &[Event(OrderPlaced), Event(StockReserved)];
    replicas::<PaymentService, OrderSaga>(&[
        AtOnce { before: &[], one: Event(OrderPlaced), other: Event(StockReserved) },
        AtOnce { before: &[], one: Event(OrderPlaced), other: Event(OrderPlaced) },
        AtOnce { before: &[], one: Event(StockReserved), other: Event(ShipmentVoided) },
        AtOnce {
            before: &[Event(OrderPlaced)],
            one: Event(StockReserved),
            other: Event(OrderCancelled),
        },
        AtOnce { before: CHARGING, one: Answer(0), other: Event(ShipmentVoided) },
        AtOnce { before: CHARGING, one: Answer(0), other: Answer(0) },
    ])
    .await;
}

#[tokio::test]
async fn shipping() {
    const BOOKING: &[Says<EventType>] = &[Event(OrderPlaced), Event(PaymentCaptured)];
    replicas::<ShippingService, OrderSaga>(&[
        AtOnce { before: &[], one: Event(OrderPlaced), other: Event(PaymentCaptured) },
        AtOnce {
            before: &[],
            one: Event(PaymentCaptured),
            other: Event(OrderCancellationRequested),
        },
        AtOnce {
            before: &[Event(OrderPlaced)],
            one: Event(PaymentCaptured),
            other: Event(OrderCancellationRequested),
        },
        AtOnce { before: BOOKING, one: Answer(0), other: Event(OrderCancellationRequested) },
    ])
    .await;
}

#[tokio::test]
async fn inventory() {
    const ONE_LEFT: &[Says<EventType>] = &[Command(0), Command(1)];
    replicas::<InventoryService, OrderSaga>(&[
        AtOnce { before: ONE_LEFT, one: Event(OrderPlaced), other: OfAnother(OrderPlaced) },
        AtOnce { before: ONE_LEFT, one: Event(OrderPlaced), other: Event(ShipmentVoided) },
        AtOnce { before: &[Command(0)], one: Event(OrderPlaced), other: Command(1) },
    ])
    .await;
}

#[tokio::test]
async fn order() {
    const PLACED: &[Says<EventType>] = &[Event(ProductListed), Command(0)];
    const UNPAID: &[Says<EventType>] =
        &[Event(ProductListed), Command(0), Ring("payment_deadline")];
    const VOIDED: &[Says<EventType>] = &[Event(ProductListed), Command(0), Event(ShipmentVoided)];
    replicas::<OrderService, OrderSaga>(&[
        AtOnce { before: PLACED, one: Ring("payment_deadline"), other: Event(PaymentCaptured) },
        AtOnce { before: PLACED, one: Ring("payment_deadline"), other: Ring("payment_deadline") },
        AtOnce { before: UNPAID, one: Ring("first_deadline"), other: Event(ShipmentDispatched) },
        AtOnce { before: UNPAID, one: Ring("first_deadline"), other: Ring("first_deadline") },
        AtOnce { before: PLACED, one: Command(1), other: Event(ShipmentDispatched) },
        AtOnce { before: VOIDED, one: Event(StockReleased), other: Event(PaymentVoided) },
    ])
    .await;
}

#[tokio::test]
async fn notification() {
    replicas::<NotificationService, OrderSaga>(&[
        AtOnce { before: &[], one: Event(OrderPlaced), other: Event(OrderCompleted) },
        AtOnce { before: &[Event(OrderPlaced)], one: Answer(0), other: Event(OrderCancelled) },
    ])
    .await;
}
