//! All rows and queues of a suite at one moment.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{Currency, Money, OrderId, Sku};
use serde::{Deserialize, Serialize};

use crate::{NotificationRow, OrderRow, PaymentRow, ProductRow, ReservationRow, Row, ShipmentRow};

/// The services that a suite consists of.
pub const SERVICES: [&str; 5] = ["order", "inventory", "payment", "shipping", "notification"];

/// The rows and queues of all services and the ledger of the outside world, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The rows of the order service.
    pub orders: Vec<OrderRow>,
    /// The inventory service's rows about orders.
    pub reservations: Vec<ReservationRow>,
    /// The inventory service's rows about products.
    pub products: Vec<ProductRow>,
    /// The rows of the payment service.
    pub payments: Vec<PaymentRow>,
    /// The rows of the shipping service.
    pub shipments: Vec<ShipmentRow>,
    /// The rows of the notification service.
    pub notifications: Vec<NotificationRow>,
    /// The queues of each service, by its name.
    pub status: BTreeMap<String, Status>,
    /// What the outside world did.
    pub ledger: Ledger,
}

/// The status of a service, as `GET /admin/status` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Batches committed since the process started, or since all processes of a group started.
    pub batches: u64,
    /// Inputs that had been applied before, counted likewise.
    #[serde(default)]
    pub duplicates: u64,
    /// Events that the broker has not acknowledged.
    pub outbox: Depth,
    /// Requests to the outside world without a definite answer.
    pub effects: Depth,
    /// Deadlines that have not fired.
    pub alarms: Depth,
    /// Orders that are parked, and dead letters that name no order: the dead-letter queues.
    #[serde(default)]
    pub parked: Depth,
    /// Records that the group has not applied; `None` while the broker does not answer.
    pub lag: Option<i64>,
}

/// The length of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Depth {
    /// The number of rows.
    pub depth: i64,
}

/// What the outside world did, as the sandbox's `GET /ledger` shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// One per idempotency key.
    pub charges: Vec<Charge>,
    /// One per idempotency key.
    pub refunds: Vec<Refund>,
    /// One per idempotency key.
    pub bookings: Vec<Booking>,
    /// One per message id.
    pub mails: Vec<Mail>,
}

/// A charge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// The order.
    pub order_id: OrderId,
    /// The idempotency key.
    pub idempotency_key: String,
    /// The amount, in minor units.
    pub amount_minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
    /// The answer.
    pub status: ChargeStatus,
    /// How many requests had the key.
    pub requests: i64,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    /// The order.
    pub order_id: OrderId,
    /// The idempotency key.
    pub idempotency_key: String,
    /// The amount, in minor units.
    pub amount_minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
    /// The answer.
    pub status: RefundStatus,
    /// How many requests had the key.
    pub requests: i64,
}

/// A parcel at the carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Booking {
    /// The order.
    pub order_id: OrderId,
    /// The idempotency key.
    pub idempotency_key: String,
    /// The answer.
    pub status: BookingStatus,
    /// How many requests had the key.
    pub requests: i64,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// The order that it is about, if it names one.
    pub order_id: Option<String>,
    /// Its Message-ID.
    pub message_id: String,
    /// The recipients.
    pub to: String,
    /// The subject, which is different for each milestone.
    pub subject: String,
    /// How many copies arrived.
    pub copies: i64,
}

/// The gateway's answer to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the interface")]
pub enum ChargeStatus {
    Captured,
    Declined,
}

/// The gateway's answer to a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the interface")]
pub enum RefundStatus {
    Refunded,
    Refused,
}

/// The carrier's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the interface")]
pub enum BookingStatus {
    Booked,
    Refused,
}

impl Charge {
    /// The amount and its currency.
    #[must_use]
    pub const fn amount(&self) -> Money {
        Money { amount_minor: self.amount_minor, currency: self.currency }
    }
}

impl Refund {
    /// The amount and its currency.
    #[must_use]
    pub const fn amount(&self) -> Money {
        Money { amount_minor: self.amount_minor, currency: self.currency }
    }
}

impl Status {
    /// Combines the statuses of a service's replicas. Counters of a single process are added up. Of the queues,
    /// which all replicas see but not at the same moment, the greatest length counts.
    #[must_use]
    pub fn of_group(replicas: impl IntoIterator<Item = Self>) -> Option<Self> {
        replicas.into_iter().reduce(|group, replica| Self {
            batches: group.batches + replica.batches,
            duplicates: group.duplicates + replica.duplicates,
            outbox: group.outbox.max(replica.outbox),
            effects: group.effects.max(replica.effects),
            alarms: group.alarms.max(replica.alarms),
            parked: group.parked.max(replica.parked),
            lag: group.lag.zip(replica.lag).map(|(one, other)| one.max(other)),
        })
    }

    /// Whether all its queues are empty.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let queues = [self.outbox, self.effects, self.alarms, self.parked];
        queues.iter().all(|queue| queue.depth == 0) && self.lag == Some(0)
    }
}

impl Snapshot {
    /// Adds a service's row.
    pub fn add(&mut self, row: Row) {
        match row {
            Row::Orders(row) => self.orders.push(row),
            Row::Reservation(row) => self.reservations.push(row),
            Row::Product(row) => self.products.push(row),
            Row::Payment(row) => self.payments.push(row),
            Row::Shipment(row) => self.shipments.push(row),
            Row::Notification(row) => self.notifications.push(row),
        }
    }

    /// The part about these orders and products, and about orders of these products. The queues are not split by
    /// order, so the part has them unchanged.
    #[must_use]
    pub fn of(&self, orders: &BTreeSet<OrderId>, skus: &BTreeSet<Sku>) -> Self {
        let ordered = self.orders.iter();
        let ordered = ordered.filter(|row| row.items.iter().any(|line| skus.contains(&line.sku)));
        let reserved = self.reservations.iter();
        let reserved = reserved.filter(|row| row.items.iter().any(|item| skus.contains(&item.sku)));
        let mut orders = orders.clone();
        orders.extend(ordered.map(|row| row.order_id));
        orders.extend(reserved.map(|row| row.order_id));
        let mut part = self.clone();
        part.orders.retain(|row| orders.contains(&row.order_id));
        part.reservations.retain(|row| orders.contains(&row.order_id));
        part.products.retain(|row| skus.contains(&row.sku));
        part.payments.retain(|row| orders.contains(&row.order_id));
        part.shipments.retain(|row| orders.contains(&row.order_id));
        part.notifications.retain(|row| orders.contains(&row.order_id));
        part.ledger.retain(&orders);
        part
    }
}

impl Ledger {
    fn retain(&mut self, orders: &BTreeSet<OrderId>) {
        self.charges.retain(|entry| orders.contains(&entry.order_id));
        self.refunds.retain(|entry| orders.contains(&entry.order_id));
        self.bookings.retain(|entry| orders.contains(&entry.order_id));
        self.mails.retain(|mail| mail.order().is_some_and(|order| orders.contains(&order)));
    }
}

impl Mail {
    /// The order that it names, if it names one.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        self.order_id.as_deref()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_replicas_are_added_and_the_longest_queue_counts() {
        let one = Status { batches: 3, duplicates: 1, lag: Some(0), ..Status::default() };
        let waits = Depth { depth: 2 };
        let other = Status { batches: 4, outbox: waits, lag: Some(5), ..Status::default() };
        let group = Status::of_group([one, other]).unwrap();
        let expected =
            Status { batches: 7, duplicates: 1, outbox: waits, lag: Some(5), ..Status::default() };
        assert_eq!(group, expected);
        let without_lag = Status { lag: None, ..one };
        assert_eq!(Status::of_group([one, without_lag]).unwrap().lag, None);
        assert_eq!(Status::of_group([]), None);
    }
}
