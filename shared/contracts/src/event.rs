//! The list of all events: who publishes them, and where their schemas are.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use strum::VariantArray;

use crate::payload::{
    NotificationFailed, NotificationSent, OrderCancellationRequested, OrderCancelled,
    OrderCompleted, OrderPlaced, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided,
    ProductListed, ShipmentDispatched, ShipmentFailed, ShipmentVoided, StockRejected,
    StockReleased, StockReserved,
};
use crate::schema::{Schema, Violation};
use crate::{OrderId, Sku};

/// The compacted topic of [`ProductListed`], keyed by SKU.
pub const PRODUCTS_TOPIC: &str = "products";

/// A service that publishes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Publisher {
    /// Takes orders and follows them to their end.
    Order,
    /// Keeps the stock.
    Inventory,
    /// Charges and refunds.
    Payment,
    /// Books parcels; decides whether one can still be stopped.
    Shipping,
    /// Writes mails.
    Notification,
}

impl Publisher {
    /// The service's name, such as `order`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The topic of what it says about orders.
    #[must_use]
    pub const fn topic(self) -> &'static str {
        match self {
            Self::Order => "orders",
            Self::Inventory => "inventory",
            Self::Payment => "payments",
            Self::Shipping => "shipping",
            Self::Notification => "notifications",
        }
    }

    /// Its `ce_source`, such as `/quintet/order`.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Order => "/quintet/order",
            Self::Inventory => "/quintet/inventory",
            Self::Payment => "/quintet/payment",
            Self::Shipping => "/quintet/shipping",
            Self::Notification => "/quintet/notification",
        }
    }
}

/// A `ce_type` that is not in this contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no event type of this contract")]
pub struct UnknownEventType(String);

/// What an event is about.
enum Subject<'a> {
    Order(OrderId),
    Product(&'a Sku),
}

macro_rules! embedded {
    ($($path:literal),*) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/", $($path),*))
    };
}

macro_rules! events {
    (@subject order $data:ident) => { Subject::Order($data.order_id) };
    (@subject product $data:ident) => { Subject::Product(&$data.sku) };

    ($($about:ident $name:ident by $publisher:ident in $folder:literal: $($version:literal)+;)*) => {
        /// The type of an event; what each says is in the payload of the same name.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, strum::IntoStaticStr, strum::VariantArray,
        )]
        #[expect(missing_docs, reason = "each payload of the same name has its own")]
        pub enum EventType { $($name,)* }

        impl EventType {
            /// The service that publishes it.
            #[must_use]
            pub const fn publisher(self) -> Publisher {
                match self { $(Self::$name => Publisher::$publisher,)* }
            }

            /// Its folder in `schemas/`, such as `order_placed`.
            #[must_use]
            pub const fn folder(self) -> &'static str {
                match self { $(Self::$name => $folder,)* }
            }
        }

        /// An event with its data, in the latest version.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each payload has its own")]
        pub enum Event { $($name($name),)* }

        impl Event {
            /// Its type.
            #[must_use]
            pub const fn event_type(&self) -> EventType {
                match self { $(Self::$name(_) => EventType::$name,)* }
            }

            const fn subject(&self) -> Subject<'_> {
                match self { $(Self::$name(data) => events!(@subject $about data),)* }
            }

            /// The event whose data, in the latest version, is this JSON.
            ///
            /// # Errors
            /// When the JSON lacks a property or has one of another type.
            pub fn from_json(event_type: EventType, data: Value) -> serde_json::Result<Self> {
                match event_type {
                    $(EventType::$name => serde_json::from_value(data).map(Self::$name),)*
                }
            }

            /// Its data, in the latest version.
            #[must_use]
            pub fn to_json(&self) -> Value {
                match self { $(Self::$name(data) => json!(data),)* }
            }

            pub(crate) fn to_text(&self) -> Box<RawValue> {
                match self { $(Self::$name(data) => text(data),)* }
            }
        }

        $(impl From<$name> for Event {
            fn from(data: $name) -> Self {
                Self::$name(data)
            }
        })*

        /// All schemas, by type, then by version in ascending order.
        pub static SCHEMAS: [Schema; [$($($version,)+)*].len()] = [$($(Schema::new(
            EventType::$name,
            $version,
            concat!("urn:quintet:schemas:", $folder, ":v", $version),
            embedded!($folder, "/v", $version, ".json"),
            embedded!($folder, "/v", $version, ".example.json"),
        ),)+)*];
    };
}

events! {
    product ProductListed by Inventory in "product_listed": 1;
    order OrderPlaced by Order in "order_placed": 1 2;
    order StockReserved by Inventory in "stock_reserved": 1;
    order StockRejected by Inventory in "stock_rejected": 1;
    order StockReleased by Inventory in "stock_released": 1;
    order PaymentCaptured by Payment in "payment_captured": 1;
    order PaymentDeclined by Payment in "payment_declined": 1;
    order PaymentRefunded by Payment in "payment_refunded": 1;
    order PaymentVoided by Payment in "payment_voided": 1;
    order ShipmentDispatched by Shipping in "shipment_dispatched": 1;
    order ShipmentFailed by Shipping in "shipment_failed": 1;
    order ShipmentVoided by Shipping in "shipment_voided": 1;
    order OrderCancellationRequested by Order in "order_cancellation_requested": 1;
    order OrderCompleted by Order in "order_completed": 1;
    order OrderCancelled by Order in "order_cancelled": 1;
    order NotificationSent by Notification in "notification_sent": 1;
    order NotificationFailed by Notification in "notification_failed": 1;
}

impl EventType {
    /// Every type.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// Its name, such as `OrderPlaced`: also its `ce_type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The topic that carries it.
    #[must_use]
    pub const fn topic(self) -> &'static str {
        match self {
            Self::ProductListed => PRODUCTS_TOPIC,
            _ => self.publisher().topic(),
        }
    }

    /// All topics that there are, sorted.
    #[must_use]
    pub fn topics() -> Vec<&'static str> {
        let topics: BTreeSet<_> = Self::ALL.iter().map(|event| event.topic()).collect();
        topics.into_iter().collect()
    }

    /// The latest version of its schema.
    #[must_use]
    pub fn latest_version(self) -> u32 {
        let versions = SCHEMAS.iter().filter(|schema| schema.event_type == self);
        versions.map(|schema| schema.version).max().unwrap_or(0)
    }
}

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .find(|event_type| event_type.as_str() == name)
            .copied()
            .ok_or_else(|| UnknownEventType(format!("{name:.64}")))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Event {
    /// The record's key: the hyphenated order id, or the SKU of a product.
    #[must_use]
    pub fn key(&self) -> String {
        match self.subject() {
            Subject::Order(order_id) => order_id.to_string(),
            Subject::Product(sku) => sku.to_string(),
        }
    }

    /// The order that it is about, if any.
    #[must_use]
    pub const fn order_id(&self) -> Option<OrderId> {
        match self.subject() {
            Subject::Order(order_id) => Some(order_id),
            Subject::Product(_) => None,
        }
    }

    /// Whether its data follows the latest version of its schema.
    ///
    /// For the edges where data of others becomes an event: what does not conform is refused by
    /// every consumer.
    ///
    /// # Errors
    /// The first property that does not, and why.
    pub fn check(&self) -> Result<(), Violation> {
        let latest = self.event_type().latest_version();
        Schema::find(self.event_type(), latest)
            .map_or(Ok(()), |schema| schema.check(&self.to_json()))
    }
}

/// The data of an event as JSON text.
pub(crate) fn text(data: &impl Serialize) -> Box<RawValue> {
    // Only a map with keys that are no text could fail: there is none.
    to_raw_value(data).expect("an event's data is plain JSON")
}
