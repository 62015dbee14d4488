//! Sells tickets for shows. A ticket is sold if its seat costs no more than the customer's budget, and cancelled otherwise.
//!
//! The two services share the events in `contract`, and nothing else.

pub mod contract;
pub mod invariants;
pub mod seats;
#[cfg(test)]
mod support;
pub mod tickets;
