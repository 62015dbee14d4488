//! The order service's HTTP interface, as a customer uses it: placing, reading, listing and following orders.

mod attention;
mod client;
mod events;
mod follow;
mod sse;

pub(crate) use attention::Attention;
pub(crate) use client::{Client, EMAIL, Filter, Order, Wanted};
pub(crate) use follow::{Follow, Followed, Show};
