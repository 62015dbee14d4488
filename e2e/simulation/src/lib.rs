//! The whole suite in one process, played step by step from one seed: the services' real engine, SQL
//! and reactions; a broker and providers in memory; a clock and dice that stand still until told.
//!
//! A [`Schedule`] says what happens, faults included. [`run`] plays it, drives everything to rest and
//! has the auditor judge. The same schedule always tells the same story.

mod actor;
mod broker;
mod client;
mod databases;
mod life;
mod providers;
mod run;
pub mod schedule;
mod search;
mod shrink;
mod stage;
mod story;
mod suite;
mod trap;
mod verdict;
mod words;

pub use databases::Databases;
pub use run::{Run, run};
pub use schedule::Schedule;
pub use search::{Found, first_failure, runtime};
pub use shrink::shrink;
pub use story::Line;
