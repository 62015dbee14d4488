//! The crash matrix: every service dies at every point of every reaction, one order each, and is
//! started again; then the order's end and the providers' ledger are compared with what must be.
//!
//! The [`matrix`] is derived from the services themselves; [`run`] plays it over real processes,
//! built with crash points; [`table`] writes it down.

mod cell;
mod matrix;
mod operator;
mod reactions;
mod round;
mod stage;
mod story;
pub mod table;
mod verdict;

pub use cell::{Cell, Reach, matrix};
pub use matrix::{Verdicts, run};
pub use quintet_test::crash_points::{InputKind as Kind, Reaction};
pub use reactions::reactions;
pub use story::{Request, Story};
pub use verdict::Verdict;
