//! Tests for a saga that is built on the library: what the order saga's own tests are made of.

pub mod conformance;
mod contract;
mod description;
mod exploration;
pub mod golden;
pub mod simulation;

pub use contract::{AGGREGATE, aggregate, example, example_of};
pub use description::{Described, Saga, fingerprint, row_of};
pub use exploration::{Reactions, explore};
pub use samples;
