//! How each service's rows are put into the world of one input, and taken out again.

use choreography::Explored;
use contracts::{EffectId, OrderId};
use engine::{Effect, Never};
use inventory::{InventoryService, Product};
use notification::{MailAnswer, NotificationService};
use order::{CancelOrder, OrderService, PlaceOrder};
use payment::{ChargeAnswer, PaymentService, RefundAnswer, RetryRefund};
use serde::Serialize;
use shipping::{BookAnswer, ShippingService};
use store::{Record, Rows};

/// A service as the model plays it: with the rows that a batch of one input would load.
pub trait Staged: Explored {
    /// What it knows of an order.
    type Row: Record<Key = OrderId> + std::fmt::Debug + Serialize;

    /// The world of an input about an order of which this is known. The product is inventory's.
    fn world(orders: Rows<Self::Row>, product: &Product) -> Self::World;

    /// What it knows of orders afterwards.
    fn rows(world: &Self::World) -> &Rows<Self::Row>;

    /// What became of the product, if it is this service's.
    #[must_use]
    fn product(_: &Self::World) -> Option<Product> {
        None
    }

    /// Forgets what no reaction looks at.
    #[must_use]
    fn canonical(row: Self::Row) -> Self::Row {
        row
    }

    /// What opens the story of an order.
    #[must_use]
    fn openings(_: OrderId) -> Vec<Self::Command> {
        Vec::new()
    }

    /// What people may ask of it at any time.
    #[must_use]
    fn wishes(_: OrderId) -> Vec<Self::Command> {
        Vec::new()
    }

    /// What a provider's ledger says after this answer.
    fn entry(effect: &Self::Effect, answer: &Self::Outcome) -> Option<Entry>;
}

/// An entry of the providers' ledger.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is what its list in the ledger holds")]
pub enum Entry {
    Charge(audit::Charge),
    Refund(audit::Refund),
    Booking(audit::Booking),
    Mail(audit::Mail),
}

impl Staged for OrderService {
    type Row = order::Order;

    fn world(orders: Rows<order::Order>, _: &Product) -> order::World {
        order::World { orders, ..order::World::default() }
    }

    fn rows(world: &order::World) -> &Rows<order::Order> {
        &world.orders
    }

    /// Which events were seen counts, and not in which order.
    fn canonical(mut row: order::Order) -> order::Order {
        row.timeline.0.sort_unstable_by_key(|entry| entry.event_id);
        row
    }

    fn openings(order_id: OrderId) -> Vec<order::Command> {
        let place = Self::commands().into_iter().find_map(|command| match command {
            order::Command::Place(place) => Some(PlaceOrder { order_id, ..*place }),
            order::Command::Cancel(_) => None,
        });
        place.into_iter().map(|place| order::Command::Place(Box::new(place))).collect()
    }

    fn wishes(order_id: OrderId) -> Vec<order::Command> {
        vec![order::Command::Cancel(CancelOrder { order_id })]
    }

    fn entry(effect: &Never, _: &Never) -> Option<Entry> {
        match *effect {}
    }
}

impl Staged for InventoryService {
    type Row = inventory::Reservation;

    fn world(reservations: Rows<inventory::Reservation>, product: &Product) -> inventory::World {
        let mut products = Rows::absent([product.sku.clone()]);
        products.put(product.clone());
        inventory::World { reservations, products }
    }

    fn rows(world: &inventory::World) -> &Rows<inventory::Reservation> {
        &world.reservations
    }

    /// Lists the product, and puts one piece of it on the shelf.
    fn openings(_: OrderId) -> Vec<inventory::Command> {
        Self::commands()
    }

    fn product(world: &inventory::World) -> Option<Product> {
        world.products.iter().next().cloned()
    }

    fn entry(effect: &Never, _: &Never) -> Option<Entry> {
        match *effect {}
    }
}

impl Staged for PaymentService {
    type Row = payment::Payment;

    fn world(payments: Rows<payment::Payment>, _: &Product) -> payment::World {
        payment::World { payments }
    }

    fn rows(world: &payment::World) -> &Rows<payment::Payment> {
        &world.payments
    }

    fn wishes(order_id: OrderId) -> Vec<RetryRefund> {
        vec![RetryRefund { order_id }]
    }

    fn entry(effect: &payment::Effect, answer: &payment::Outcome) -> Option<Entry> {
        let (order_id, idempotency_key) = (effect.order_id(), key(effect.id()));
        Some(match (effect, answer) {
            (payment::Effect::Charge(charge), payment::Outcome::Charge(answer)) => {
                Entry::Charge(audit::Charge {
                    order_id,
                    idempotency_key,
                    amount_minor: charge.amount.amount_minor,
                    currency: charge.amount.currency,
                    status: match answer {
                        ChargeAnswer::Captured { .. } => audit::ChargeStatus::Captured,
                        ChargeAnswer::Declined { .. } => audit::ChargeStatus::Declined,
                    },
                    requests: 1,
                })
            }
            (payment::Effect::Refund(refund), payment::Outcome::Refund(answer)) => {
                Entry::Refund(audit::Refund {
                    order_id,
                    idempotency_key,
                    amount_minor: refund.amount.amount_minor,
                    currency: refund.amount.currency,
                    status: match answer {
                        RefundAnswer::Refunded { .. } => audit::RefundStatus::Refunded,
                        RefundAnswer::Refused { .. } => audit::RefundStatus::Refused,
                    },
                    requests: 1,
                })
            }
            _ => unreachable!("a charge is not answered by a refund"),
        })
    }
}

impl Staged for ShippingService {
    type Row = shipping::Shipment;

    fn world(shipments: Rows<shipping::Shipment>, _: &Product) -> shipping::World {
        shipping::World { shipments }
    }

    fn rows(world: &shipping::World) -> &Rows<shipping::Shipment> {
        &world.shipments
    }

    fn entry(book: &shipping::Book, answer: &BookAnswer) -> Option<Entry> {
        let status = match answer {
            BookAnswer::Booked { .. } => audit::BookingStatus::Booked,
            BookAnswer::Refused { .. } => audit::BookingStatus::Refused,
        };
        let (order_id, idempotency_key) = (book.order_id, key(book.id()));
        Some(Entry::Booking(audit::Booking { order_id, idempotency_key, status, requests: 1 }))
    }
}

impl Staged for NotificationService {
    type Row = notification::Notification;

    fn world(notifications: Rows<notification::Notification>, _: &Product) -> notification::World {
        notification::World { notifications }
    }

    fn rows(world: &notification::World) -> &Rows<notification::Notification> {
        &world.notifications
    }

    /// The mail server keeps no mail that it refused.
    fn entry(mail: &notification::Mail, answer: &Self::Outcome) -> Option<Entry> {
        let MailAnswer::Sent { .. } = answer.1 else { return None };
        Some(Entry::Mail(audit::Mail {
            order_id: Some(mail.order_id.to_string()),
            message_id: key(mail.id()),
            to: mail.to.clone(),
            subject: mail.milestone.to_string(),
            copies: 1,
        }))
    }
}

fn key(id: EffectId) -> String {
    id.to_string()
}
