//! The harness of the scenarios: black-box tests of suites of real processes.
//!
//! A *scenario* is an async function. It gets a [`Visitor`], which uses a suite over HTTP. It ends with
//! [`Visitor::assert_sound`]: every accepted order has ended, and `quintet audit` finds the suite sound.
//!
//! - Scenarios that do not disturb each other share a suite, see [`Shared`]. Those that kill or stop processes have a suite
//!   of their own.
//! - Every scenario runs on `SQLite` and the log. It runs on PostgreSQL and Kafka too if [`testkit`]'s variables name servers.
//! - Scenarios that stop the broker have a broker of their own. Those that cut connections to a server go through
//!   [`Proxies`].
//!
//! The program under test is built first. `QUINTET_TEST_PROGRAMS=FOLDER` takes a built one instead. If a scenario fails, the
//! folder of its suite is kept, with the logs of all processes.

#![expect(clippy::missing_panics_doc, reason = "a harness fails its scenario by panicking")]

mod backend;
mod launcher;
mod options;
mod order;
mod programs;
mod run;
mod suite;
mod visitor;
mod waiting;

use contracts::Event;
use event::Contract as _;

pub use backend::{Backend, Proxies};
pub use options::Options;
pub use order::{NewOrder, OrderView, TimelineEntry};
pub use quintet_suite::Replica;
pub use quintet_test::proxy::Proxy;
pub use run::{Scenario, Scenarios, Shared};
pub use rustix::process::Signal;
pub use suite::{READER, TestSuite, manifest, services, signal};
pub use visitor::{Answer, Visitor};
pub use waiting::{PATIENCE, until};

/// The topics of the order saga.
#[must_use]
pub fn topics() -> Vec<&'static str> {
    Event::topics().iter().map(|topic| topic.name).collect()
}
