//! The crash matrix: every service dies at every point of every reaction.
//!
//! A cell of the [`matrix`] is a reaction of a service and a point that its input passes. [`run`] fills the cells: it runs
//! orders on real processes that are built with crash points. For each cell an order brings the input to the point, the process
//! aborts there and is started again, and the order must end as it would have without the death. The providers' ledger must have
//! each charge, refund, booking and mail once. [`table`] writes the result as Markdown.

mod cell;
mod course;
mod crash_suite;
mod matrix;
mod operator;
mod outcome;
mod reactions;
mod round;
pub mod table;

pub use cell::{Cell, Reach, matrix};
pub use course::{Course, Request};
pub use matrix::{Outcomes, run};
pub use outcome::CellOutcome;
pub use quintet_test::crash_points::{InputKind as Kind, Reaction};
pub use reactions::reactions;
