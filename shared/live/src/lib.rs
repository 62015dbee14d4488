//! The live feed within a process: [`Hub`] distributes messages to subscribers.
//!
//! - *Publishing never waits*, neither for subscribers nor for anything else. Without subscribers it does nothing.
//! - *One subscriber harms no other.* A slow one loses the oldest messages of its own queue, and is told how many. One
//!   whose filter panics is removed. One that is dropped is forgotten at once.
//! - *At most once and in order.* A subscriber gets each message at most once, in the order of publishing.

mod hub;

pub use hub::{Ended, Filter, Hub, HubSubscription, Message, Received};
