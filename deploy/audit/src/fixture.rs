//! A sound snapshot for tests to break. It has three orders: a completed one, one that was cancelled after the
//! charge because the carrier refused, and one that was out of stock.

use contracts::{CancelReason, Currency, Item, Milestone, Money, OrderId, Sku};
use uuid::{Uuid, uuid};

use crate::{
    Booking, BookingStatus, Charge, ChargeStatus, End, Line, Mail, MailStatus, NotificationRow,
    Notified, OrderRow, PaymentRow, PaymentState, ProductRow, Refund, RefundStatus, ReservationRow,
    ReservationState, SERVICES, ShipmentRow, ShipmentState, Snapshot, Stage, Status, Subject,
    audit,
};

pub(crate) const SKU: &str = "mug";
const PRICE: i64 = 1_298;
const FIRST: Uuid = uuid!("01a1fde8-c42a-73f5-96da-6e816ab97e80");

fn nth(nth: u128) -> OrderId {
    Uuid::from_u128(FIRST.as_u128() + nth).into()
}

pub(crate) fn completed() -> OrderId {
    nth(0)
}

pub(crate) fn cancelled() -> OrderId {
    nth(1)
}

pub(crate) fn rejected() -> OrderId {
    nth(2)
}

/// An order that the sound snapshot does not have.
pub(crate) fn stranger() -> OrderId {
    nth(3)
}

fn sku() -> Sku {
    SKU.parse().expect("a SKU")
}

pub(crate) fn sound() -> Snapshot {
    let mut snapshot = Snapshot::default();
    order_of(&mut snapshot, completed(), 2, End::Completed, None);
    captured(&mut snapshot, completed(), 2, BookingStatus::Booked);
    order_of(&mut snapshot, cancelled(), 1, End::Cancelled, Some(CancelReason::ShipmentFailed));
    captured(&mut snapshot, cancelled(), 1, BookingStatus::Refused);
    refunded(&mut snapshot, cancelled(), 1);
    order_of(&mut snapshot, rejected(), 100, End::Cancelled, Some(CancelReason::OutOfStock));
    closed(&mut snapshot, rejected(), 100);
    let product = ProductRow { sku: sku(), stocked: 10, on_hand: 8, reserved: 0, shipped: 2 };
    snapshot.products.push(product);
    let quiet = Status { batches: 7, lag: Some(0), ..Status::default() };
    snapshot.status = SERVICES.map(|service| (service.to_owned(), quiet)).into();
    snapshot
}

fn order_of(
    snapshot: &mut Snapshot,
    order_id: OrderId,
    quantity: i64,
    end: End,
    cause: Option<CancelReason>,
) {
    let unit_price = Money { amount_minor: PRICE, currency: Currency::EUR };
    snapshot.orders.push(OrderRow {
        order_id,
        stage: Stage::Paid,
        requested: None,
        cause,
        stock_settled: true,
        money_settled: true,
        ended: Some(end),
        needs_attention: false,
        total_minor: PRICE * quantity,
        currency: Currency::EUR,
        items: vec![Line { sku: sku(), quantity, unit_price }],
    });
    let (milestone, subject) = match end {
        End::Completed => (Milestone::Completed, "on its way"),
        End::Cancelled => (Milestone::Cancelled, "cancelled"),
    };
    snapshot.notifications.push(NotificationRow {
        order_id,
        state: Notified::Both,
        ended: Some(milestone),
        placed_mail: Some(MailStatus::Sent),
        end_mail: Some(MailStatus::Sent),
    });
    for subject in ["placed", subject] {
        snapshot.ledger.mails.push(Mail {
            order_id: Some(order_id.to_string()),
            message_id: format!("{order_id}-{subject}@shop.example"),
            to: "ada@example.com".to_owned(),
            subject: subject.to_owned(),
            copies: 1,
        });
    }
}

fn captured(snapshot: &mut Snapshot, order_id: OrderId, quantity: i64, status: BookingStatus) {
    let (state, shipment) = match status {
        BookingStatus::Booked => (ReservationState::Shipped, ShipmentState::Dispatched),
        BookingStatus::Refused => (ReservationState::Released, ShipmentState::Failed),
    };
    let items = vec![Item { sku: sku(), quantity }];
    snapshot.reservations.push(ReservationRow { order_id, state, items });
    snapshot.shipments.push(ShipmentRow { order_id, state: shipment, reason: None });
    snapshot.payments.push(PaymentRow {
        order_id,
        state: PaymentState::Captured,
        amount_minor: Some(PRICE * quantity),
        currency: Some(Currency::EUR),
        charge: Some("ch_1".to_owned()),
        refund: None,
        reason: None,
    });
    snapshot.ledger.charges.push(Charge {
        order_id,
        idempotency_key: format!("charge {order_id}"),
        amount_minor: PRICE * quantity,
        currency: Currency::EUR,
        status: ChargeStatus::Captured,
        requests: 1,
    });
    let idempotency_key = format!("book {order_id}");
    snapshot.ledger.bookings.push(Booking { order_id, idempotency_key, status, requests: 1 });
}

fn refunded(snapshot: &mut Snapshot, order_id: OrderId, quantity: i64) {
    if let Some(payment) = snapshot.payments.iter_mut().find(|row| row.order_id == order_id) {
        payment.state = PaymentState::Refunded;
        payment.refund = Some("re_1".to_owned());
    }
    snapshot.ledger.refunds.push(Refund {
        order_id,
        idempotency_key: format!("refund {order_id}"),
        amount_minor: PRICE * quantity,
        currency: Currency::EUR,
        status: RefundStatus::Refunded,
        requests: 1,
    });
}

fn closed(snapshot: &mut Snapshot, order_id: OrderId, quantity: i64) {
    let state = ReservationState::Rejected;
    snapshot.reservations.push(ReservationRow { order_id, state, items: Vec::new() });
    snapshot.shipments.push(ShipmentRow { order_id, state: ShipmentState::Closed, reason: None });
    snapshot.payments.push(PaymentRow {
        order_id,
        state: PaymentState::Closed,
        amount_minor: Some(PRICE * quantity),
        currency: Some(Currency::EUR),
        charge: None,
        refund: None,
        reason: None,
    });
}

pub(crate) fn order(snapshot: &mut Snapshot, id: OrderId) -> &mut OrderRow {
    snapshot.orders.iter_mut().find(|row| row.order_id == id).expect("a row of this order")
}

/// Breaks a sound snapshot and returns what this invariant reports about the completed order.
pub(crate) fn broken<T>(number: u8, change: impl FnOnce(&mut Snapshot) -> T) -> String {
    broken_for(number, completed(), change, &[])
}

/// Breaks a sound snapshot and returns what this invariant reports about an order.
pub(crate) fn broken_for<T>(
    number: u8,
    order: OrderId,
    change: impl FnOnce(&mut Snapshot) -> T,
    accepted: &[OrderId],
) -> String {
    broken_of(number, &order.into(), change, accepted)
}

/// Breaks a sound snapshot and returns what this invariant reports about a subject.
pub(crate) fn broken_of<T>(
    number: u8,
    subject: &Subject,
    change: impl FnOnce(&mut Snapshot) -> T,
    accepted: &[OrderId],
) -> String {
    let mut snapshot = sound();
    change(&mut snapshot);
    let report = audit(&snapshot, Some(accepted));
    let mut invariants = report.invariants.iter();
    let invariant = invariants.find(|invariant| invariant.number == number);
    let invariant = invariant.expect("an invariant of this number");
    assert!(!invariant.holds && !report.holds(), "invariant {number} holds:\n{report}");
    let against = invariant.offences.iter().filter(|offence| offence.subject == *subject);
    let against: Vec<&str> = against.map(|offence| offence.why.as_str()).collect();
    assert!(!against.is_empty(), "nothing against {subject}:\n{report}");
    against.join("; ")
}
