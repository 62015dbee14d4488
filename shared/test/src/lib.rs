//! Tests for a saga that is built on the library. Nothing here knows of a particular saga.
//!
//! | module | what it offers |
//! |---|---|
//! | [`simulation`] | all services of a saga in one process, played step by step from a seed, with faults at every step |
//! | [`conformance`] | suites for each service: its reactions, its tables on every database, two replicas at the same time |
//! | [`golden`] | records of every event version that was ever released, and how today's consumers react to them |
//! | [`crash_points`] | the points at which a test can kill a process, and the inputs that pass them |
//! | [`samples`] | random data that follows a JSON Schema |
//! | [`proxy`] | a proxy that breaks or blocks the connections to a server |
//!
//! A test of a single reaction needs none of these: [`react`] gives a service one input, and [`histories!`] lists the states
//! of a row, with inputs that lead to each.
//!
//! # One description of a service
//!
//! All of these use the same description of a service, [`Described`]: its rows, the commands that it takes, the possible
//! answers to its requests, and how it reaches the providers. A service is described once, for a [`Saga`]: a unit struct of
//! the saga's tests with the types that its services have in common. [`explore`] tries every input in every state of a
//! described service, and returns what follows from each.
//!
//! # How the simulator works
//!
//! These parts are the same for every saga:
//!
//! - **A schedule is data** ([`simulation::schedule`]): a list of steps, drawn from the seed before anything happens.
//!   Each step has its own seed for what is drawn within it. A schedule that fails is shrunk by leaving out steps
//!   and faults. The story of the rest has a line for each step.
//! - **Services are actors with names.** An actor is the service's real engine on SQLite in memory, driven one step at a
//!   time: a batch, a step of the relay, an attempt to reach a provider, a search for due alarms.
//! - **A crash is a dropped future.** A hook of SQLite blocks it at a drawn operation or commit, and the future that waits
//!   for SQLite is dropped at exactly that point. The production code has no line for it.
//! - **The broker is in memory**, with partitions, groups and stored offsets. It refuses records, loses reports, and
//!   withdraws the rights of services.
//! - **The clock and all randomness** come from the [`simulation::Environment`], so the same seed gives the same story. The
//!   clock jumps both ways.
//! - **At the end the faults stop**, and all services take steps until nothing happens any more. Then the invariants are
//!   checked.
//!
//! A saga adds:
//!
//! - its services ([`simulation::Participants`]), from their descriptions;
//! - its outside world ([`simulation::Providers`]): usually a [`simulation::Provider`] that always answers, wrapped in a
//!   [`simulation::Faulty`] that refuses requests, loses answers and delivers requests late;
//! - its customers and operators ([`simulation::Workload`]): the commands that they send, and the answers that they get;
//! - its invariants, as closures over a [`simulation::Snapshot`] of rows, providers, customers and published events: at
//!   rest, after each step, or after each batch of a service.
//!
//! Each part draws from its own source of randomness, so that one more draw of the workload does not change the faults of a
//! seed.

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
