//! Sells tickets for shows: each has a seat that the customer can pay, or there is none.
//!
//! Two services know nothing of each other but what `contract` lets them say.

pub mod contract;
pub mod invariants;
pub mod seats;
#[cfg(test)]
mod support;
pub mod tickets;
