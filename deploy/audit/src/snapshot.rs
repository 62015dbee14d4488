//! Everything that is known of a suite at one moment.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{Currency, Money, OrderId, Sku};
use serde::{Deserialize, Serialize};

use crate::{NotificationRow, OrderRow, PaymentRow, ProductRow, ReservationRow, Row, ShipmentRow};

/// The services that a suite consists of.
pub const SERVICES: [&str; 5] = ["order", "inventory", "payment", "shipping", "notification"];

/// What all services and the outside world say, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Order's rows.
    pub orders: Vec<OrderRow>,
    /// Inventory's rows about orders.
    pub reservations: Vec<ReservationRow>,
    /// Inventory's rows about products.
    pub products: Vec<ProductRow>,
    /// Payment's rows.
    pub payments: Vec<PaymentRow>,
    /// Shipping's rows.
    pub shipments: Vec<ShipmentRow>,
    /// Notification's rows.
    pub notifications: Vec<NotificationRow>,
    /// Each service's queues, by its name.
    pub status: BTreeMap<String, Status>,
    /// What the outside world did.
    pub ledger: Ledger,
}

/// Where a service stands, as `GET /admin/status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Batches committed since the process started; of a group all its processes' together.
    pub turns: u64,
    /// Inputs that had been applied before; likewise.
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

/// How much a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Depth {
    /// Rows.
    pub depth: i64,
}

/// What the outside world did, as the sandbox's `GET /ledger` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// One an idempotency key.
    pub charges: Vec<Charge>,
    /// One an idempotency key.
    pub refunds: Vec<Refund>,
    /// One an idempotency key.
    pub bookings: Vec<Booking>,
    /// One a message id.
    pub mails: Vec<Mail>,
}

/// A charge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// For this order.
    pub order_id: OrderId,
    /// Under this key.
    pub idempotency_key: String,
    /// So much, in minor units.
    pub amount_minor: i64,
    /// In this currency.
    pub currency: Currency,
    /// With this answer.
    pub status: ChargeStatus,
    /// How often it was asked for.
    pub requests: i64,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    /// For this order.
    pub order_id: OrderId,
    /// Under this key.
    pub idempotency_key: String,
    /// So much, in minor units.
    pub amount_minor: i64,
    /// In this currency.
    pub currency: Currency,
    /// With this answer.
    pub status: RefundStatus,
    /// How often it was asked for.
    pub requests: i64,
}

/// A parcel at the carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Booking {
    /// Of this order.
    pub order_id: OrderId,
    /// Under this key.
    pub idempotency_key: String,
    /// With this answer.
    pub status: BookingStatus,
    /// How often it was asked for.
    pub requests: i64,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// About this order, if it names one.
    pub order_id: Option<String>,
    /// Its Message-ID.
    pub message_id: String,
    /// To whom.
    pub to: String,
    /// About what: one subject a milestone.
    pub subject: String,
    /// How often it came.
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
    /// How much.
    #[must_use]
    pub const fn amount(&self) -> Money {
        Money { amount_minor: self.amount_minor, currency: self.currency }
    }
}

impl Refund {
    /// How much.
    #[must_use]
    pub const fn amount(&self) -> Money {
        Money { amount_minor: self.amount_minor, currency: self.currency }
    }
}

impl Status {
    /// The status of a service as all its replicas tell it: what each counts alone is added up, and of
    /// what all see, but not at the same moment, the most counts.
    #[must_use]
    pub fn of_group(replicas: impl IntoIterator<Item = Self>) -> Option<Self> {
        replicas.into_iter().reduce(|group, replica| Self {
            turns: group.turns + replica.turns,
            duplicates: group.duplicates + replica.duplicates,
            outbox: group.outbox.max(replica.outbox),
            effects: group.effects.max(replica.effects),
            alarms: group.alarms.max(replica.alarms),
            parked: group.parked.max(replica.parked),
            lag: group.lag.zip(replica.lag).map(|(one, other)| one.max(other)),
        })
    }

    /// Whether nothing waits here.
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

    /// What it says of these orders and products, and of orders of these products. The services'
    /// queues hold others' things too: the part keeps them as they are.
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
    fn replicas_add_up_what_each_counts_and_none_hides_what_waits() {
        let one = Status { turns: 3, duplicates: 1, lag: Some(0), ..Status::default() };
        let waits = Depth { depth: 2 };
        let other = Status { turns: 4, outbox: waits, lag: Some(5), ..Status::default() };
        let group = Status::of_group([one, other]).unwrap();
        let expected =
            Status { turns: 7, duplicates: 1, outbox: waits, lag: Some(5), ..Status::default() };
        assert_eq!(group, expected);
        let alone = Status { lag: None, ..one };
        assert_eq!(Status::of_group([one, alone]).unwrap().lag, None);
        assert_eq!(Status::of_group([]), None);
    }
}
