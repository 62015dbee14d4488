//! Orders as a customer sees them over HTTP: placing, reading, listing, and the timeline as it grows.

mod attention;
mod client;
mod events;
mod follow;
mod sse;

pub(crate) use attention::Attention;
pub(crate) use client::{Client, EMAIL, Filter, Order, Wanted};
pub(crate) use follow::{Follow, Followed, Show};
