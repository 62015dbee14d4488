//! The contract of the order saga: its events and their data.
//!
//! To add an event type, add a JSON Schema and an example of it to this folder, and an entry to the table in
//! `src/events.rs`.

mod events;
mod fields;
mod ids;
mod money;
mod payload;
mod sku;
mod upcast;

pub use events::*;
pub use ids::OrderId;
pub use money::{Currency, InvalidCurrency, Money};
pub use payload::{Address, CancelReason, Customer, Item, Milestone, PaymentMethod, Shortage};
pub use sku::{InvalidSku, Sku};
