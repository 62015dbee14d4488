//! What the services say to each other: the events, their JSON Schemas (the folder `schemas/`) and
//! their form on the wire, `CloudEvents` 1.0 in Kafka's binary mode.
//!
//! An event enters a service through [`decode`] and leaves it through [`encode`].

mod event;
mod headers;
mod ids;
mod money;
mod payload;
mod schema;
mod sku;
mod trace;
mod upcast;
mod wire;

pub use event::{Event, EventType, PRODUCTS_TOPIC, Publisher, SCHEMAS, UnknownEventType};
pub use headers::{Headers, InvalidHeaders};
pub use ids::{EffectId, EventId, OrderId, derived};
pub use money::{Currency, InvalidCurrency, Money};
pub use payload::{
    Address, CancelReason, Customer, Item, Milestone, NotificationFailed, NotificationSent,
    OrderCancellationRequested, OrderCancelled, OrderCompleted, OrderPlaced, PaymentCaptured,
    PaymentDeclined, PaymentMethod, PaymentRefunded, PaymentVoided, ProductListed,
    ShipmentDispatched, ShipmentFailed, ShipmentVoided, Shortage, StockRejected, StockReleased,
    StockReserved,
};
pub use schema::{Schema, Violation};
pub use sku::{InvalidSku, Sku};
pub use trace::Trace;
pub use wire::{ATTEMPT_HEADER, DecodeError, Decoded, Encoded, Envelope, Versions, decode, encode};
