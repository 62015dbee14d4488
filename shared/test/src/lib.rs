//! Tests for a saga that is built on the library. What a saga's own tests are made of is here, for any saga.
//!
//! | module | what it gives |
//! |---|---|
//! | [`simulation`] | all services of a saga in one process, played step by step from a seed, with faults at every step |
//! | [`conformance`] | suites that each service is held to: its reactions, its tables on every database, two replicas at once |
//! | [`golden`] | records of every event version that was ever released, and what today's consumers do in answer |
//! | [`crash_points`] | the points at which a process can be told to die, and the inputs that pass them |
//! | [`samples`] | data that follows a JSON Schema, drawn at random |
//! | [`proxy`] | a way to a server that can be cut and blocked |
//!
//! A test of a single reaction needs none of these: [`react`] gives a service one input, and [`histories!`] lists the states
//! of a row with inputs that lead to each.
//!
//! # One description of a service
//!
//! All of these ask the same [`Described`] what a service is like: its rows, the commands that it takes, the answers that
//! its requests can have, its way to the providers. A service is described once, for a [`Saga`]: a unit struct of the
//! saga's tests that says what its services have in common. [`explore`] walks all states of a described service and
//! tells what follows from each input.
//!
//! # How the simulator is built
//!
//! What is the simulator's own, the same for every saga:
//!
//! - **A schedule is data** ([`simulation::schedule`]): a list of steps, drawn from the seed before anything happens.
//!   Each step has a seed of its own for what is drawn within it. A schedule that fails is made small by leaving steps
//!   and faults out, and what is left is told one line a step.
//! - **Services are actors that go by their names.** An actor is the service's real engine on SQLite in memory, driven a
//!   step at a time: a batch, a relay step, an attempt at the outside world, a look for alarms.
//! - **A crash is a dropped future.** Hooks of SQLite block it at a drawn operation or commit, and the batch that waits
//!   for it is dropped at exactly that point. No line of production code knows of it.
//! - **The broker is in memory**, with partitions, groups and stored offsets. It refuses records, loses reports, and
//!   withdraws a service's rights.
//! - **The clock and the dice** are the [`simulation::Environment`]'s, so the same seed tells the same story. The clock
//!   jumps both ways.
//! - **At the end nothing fails any more**: every service has a turn at everything until nothing happens. Then the
//!   invariants are checked.
//!
//! What a saga brings:
//!
//! - its services ([`simulation::Participants`]), from their descriptions;
//! - its outside world ([`simulation::Providers`]): usually a [`simulation::Provider`] that answers, behind a
//!   [`simulation::Faulty`] way that refuses requests, loses answers and delivers late;
//! - its customers and operators ([`simulation::Workload`]): the commands that they send, and what they hear;
//! - its invariants, as closures over a [`simulation::Snapshot`] of rows, providers, customers and published events: at
//!   rest, after each step, or after each batch of a service.
//!
//! What each of them draws is drawn apart: one more draw of the workload does not change the faults of a seed.

pub mod conformance;
mod contract;
pub mod crash_points;
mod description;
mod exploration;
pub mod golden;
pub mod proxy;
mod reacting;
pub mod simulation;

pub use contract::{AGGREGATE, aggregate, example, example_of};
pub use description::{Described, Saga, fingerprint, row_of};
pub use exploration::{Reactions, explore};
pub use reacting::{assert_ignored, assert_repeat_ignored, react, react_to};
pub use samples;
