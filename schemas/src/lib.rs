//! The contract of the order saga: its events, and what they are made of.
//!
//! A new type of event is a JSON Schema and an example of it in this folder, and an entry in the table
//! of `src/events.rs`.

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
