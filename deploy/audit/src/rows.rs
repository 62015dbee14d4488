//! The services' rows, as `GET /admin/rows` lists them.

use contracts::{CancelReason, Currency, Item, Milestone, Money, OrderId, Sku};
use serde::{Deserialize, Serialize};

/// A row of any service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "table", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is described by its row type")]
pub enum Row {
    Orders(OrderRow),
    Reservation(ReservationRow),
    Product(ProductRow),
    Payment(PaymentRow),
    Shipment(ShipmentRow),
    Notification(NotificationRow),
}

/// What the order service knows of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The order.
    pub order_id: OrderId,
    /// How far it has come.
    pub stage: Stage,
    /// Why its cancellation was requested, if it was.
    pub requested: Option<CancelReason>,
    /// Why it is being cancelled, if it is.
    pub cause: Option<CancelReason>,
    /// No stock is reserved for it any more.
    pub stock_settled: bool,
    /// No money is owed for it any more.
    pub money_settled: bool,
    /// How it ended.
    pub ended: Option<End>,
    /// It is past its second deadline.
    pub needs_attention: bool,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// The currency.
    pub currency: Currency,
    /// What was ordered.
    pub items: Vec<Line>,
}

impl OrderRow {
    /// What it costs.
    #[must_use]
    pub const fn total(&self) -> Money {
        Money { amount_minor: self.total_minor, currency: self.currency }
    }
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The product.
    pub sku: Sku,
    /// How many pieces.
    pub quantity: i64,
    /// The price of one.
    pub unit_price: Money,
}

/// What the inventory service knows of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationRow {
    /// The order.
    pub order_id: OrderId,
    /// The state of its stock.
    pub state: ReservationState,
    /// What was reserved.
    pub items: Vec<Item>,
}

/// A product and its stock, in pieces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductRow {
    /// The product.
    pub sku: Sku,
    /// Pieces that were ever added.
    pub stocked: i64,
    /// Pieces on the shelf, the reserved ones included.
    pub on_hand: i64,
    /// Pieces on the shelf that belong to open orders.
    pub reserved: i64,
    /// Pieces that were shipped.
    pub shipped: i64,
}

/// What the payment service knows of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRow {
    /// The order.
    pub order_id: OrderId,
    /// The state of its payment.
    pub state: PaymentState,
    /// What it costs, in minor units, once known.
    pub amount_minor: Option<i64>,
    /// The currency, once known.
    pub currency: Option<Currency>,
    /// The gateway's reference of the charge.
    pub charge: Option<String>,
    /// The gateway's reference of the refund.
    pub refund: Option<String>,
    /// Why the gateway refused, if it did.
    #[serde(default)]
    pub reason: Option<String>,
}

impl PaymentRow {
    /// What it costs, once known.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        Some(Money { amount_minor: self.amount_minor?, currency: self.currency? })
    }
}

/// What the shipping service knows of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShipmentRow {
    /// The order.
    pub order_id: OrderId,
    /// The state of its parcel.
    pub state: ShipmentState,
    /// Why the carrier refused, if it did.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What the notification service knows of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotificationRow {
    /// The order.
    pub order_id: OrderId,
    /// How much is known of it.
    pub state: Notified,
    /// How the order ended, if it has.
    pub ended: Option<Milestone>,
    /// The state of the mail about its placing.
    pub placed_mail: Option<MailStatus>,
    /// The state of the mail about its end.
    pub end_mail: Option<MailStatus>,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $($variant:ident = $word:literal),*;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the words of the interface")]
        pub enum $name { $(#[serde(rename = $word)] $variant,)* }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word,)* })
            }
        }
    )*};
}

words! {
    /// How far an order has come.
    Stage: Placed = "placed", Reserved = "reserved", Paid = "paid";
    /// How an order ended.
    End: Completed = "completed", Cancelled = "cancelled";
    /// The state of an order's stock.
    ReservationState: Reserved = "reserved", Rejected = "rejected", Released = "released",
        Tombstone = "tombstone", Shipped = "shipped";
    /// The state of a payment.
    PaymentState: HasAmount = "has_amount", HasGo = "has_go", Charging = "charging",
        ChargingUndo = "charging_undo", Captured = "captured", Declined = "declined",
        Refunding = "refunding", Refunded = "refunded", Attention = "attention",
        Voided = "voided", Closed = "closed";
    /// The state of a parcel.
    ShipmentState: HasAddress = "has_address", HasPaid = "has_paid", Booking = "booking",
        Dispatched = "dispatched", Failed = "failed", Voided = "voided", Closed = "closed";
    /// How much the notification service knows of an order.
    Notified: HasAddress = "has_address", HasEnd = "has_end", Both = "both";
    /// The state of a mail.
    MailStatus: Sending = "sending", Sent = "sent", Failed = "failed";
}
