//! Two replicas of a service work on one order at once, on one PostgreSQL database: events of
//! different topics reach different replicas. However their transactions interleave, what comes of it
//! is what comes of one after the other. SQLite has one writer, so there is nothing to interleave.

mod gate;
mod stepped;

use choreography::Explored;
use contracts::EventType::{self, *};
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use service::Service;
use shipping::ShippingService;
use testkit::Database;

use Says::{Answer, Command, Event, OfAnother, Ring};
use stepped::Stage;

/// Something that comes to a service.
#[derive(Debug, Clone, Copy)]
pub enum Says {
    /// An event of the order.
    Event(EventType),
    /// An event of another order, which wants the same.
    OfAnother(EventType),
    /// A command, by its place among those of the service.
    Command(usize),
    /// An answer to the one request that has none, by its place among those there are.
    Answer(usize),
    /// An alarm.
    Ring(&'static str),
}

async fn check<S: Service + Explored + Default>(cases: &[(&[Says], Says, Says)]) {
    let Some(database) = Database::on_postgres().await else { return };
    let stage = Stage::<S>::on(database).await;
    for (before, one, other) in cases {
        stage.check(before, *one, *other).await;
    }
}

#[tokio::test]
async fn payment() {
    let charging = [Event(OrderPlaced), Event(StockReserved)];
    check::<PaymentService>(&[
        (&[], Event(OrderPlaced), Event(StockReserved)),
        (&[], Event(OrderPlaced), Event(OrderPlaced)),
        (&[], Event(StockReserved), Event(ShipmentVoided)),
        (&[Event(OrderPlaced)], Event(StockReserved), Event(OrderCancelled)),
        (&charging, Answer(0), Event(ShipmentVoided)),
        (&charging, Answer(0), Answer(0)),
    ])
    .await;
}

#[tokio::test]
async fn shipping() {
    let booking = [Event(OrderPlaced), Event(PaymentCaptured)];
    check::<ShippingService>(&[
        (&[], Event(OrderPlaced), Event(PaymentCaptured)),
        (&[], Event(PaymentCaptured), Event(OrderCancellationRequested)),
        (&[Event(OrderPlaced)], Event(PaymentCaptured), Event(OrderCancellationRequested)),
        (&booking, Answer(0), Event(OrderCancellationRequested)),
    ])
    .await;
}

#[tokio::test]
async fn inventory() {
    let one_left = [Command(0), Command(1)];
    check::<InventoryService>(&[
        (&one_left, Event(OrderPlaced), OfAnother(OrderPlaced)),
        (&one_left, Event(OrderPlaced), Event(ShipmentVoided)),
        (&[Command(0)], Event(OrderPlaced), Command(1)),
    ])
    .await;
}

#[tokio::test]
async fn order() {
    let placed = [Event(ProductListed), Command(0)];
    let unpaid = [Event(ProductListed), Command(0), Ring("payment_deadline")];
    let voided = [Event(ProductListed), Command(0), Event(ShipmentVoided)];
    check::<OrderService>(&[
        (&placed, Ring("payment_deadline"), Event(PaymentCaptured)),
        (&placed, Ring("payment_deadline"), Ring("payment_deadline")),
        (&unpaid, Ring("first_deadline"), Event(ShipmentDispatched)),
        (&unpaid, Ring("first_deadline"), Ring("first_deadline")),
        (&placed, Command(1), Event(ShipmentDispatched)),
        (&voided, Event(StockReleased), Event(PaymentVoided)),
    ])
    .await;
}

#[tokio::test]
async fn notification() {
    check::<NotificationService>(&[
        (&[], Event(OrderPlaced), Event(OrderCompleted)),
        (&[Event(OrderPlaced)], Answer(0), Event(OrderCancelled)),
    ])
    .await;
}
