//! The harness of the scenarios: suites of real processes, seen from outside by HTTP.
//!
//! A *scenario* is an async function that gets a [`Visitor`] of a suite and ends with its verdict:
//! every order has ended, and `quintet audit` finds the suite sound. Scenarios that disturb nobody share a suite, see [`Shared`];
//! those that kill or stop have a suite of their own. Every scenario runs on `SQLite` and the log;
//! on PostgreSQL and Kafka too where [`testkit`]'s variables name servers. Those that stop the broker
//! have a broker of their own, and those that cut the way to it or to PostgreSQL go through proxies.
//!
//! The programs are built first; `QUINTET_TEST_PROGRAMS=FOLDER` takes built ones as they are. A suite
//! whose scenario failed leaves its folder behind, with everybody's logs.

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

pub use backend::{Backend, Ways};
pub use options::Options;
pub use order::{Happened, NewOrder, OrderView};
pub use quintet_suite::Replica;
pub use quintet_test::proxy::Proxy;
pub use run::{Play, Scenarios, Shared};
pub use rustix::process::Signal;
pub use suite::{READER, Suite, manifest, services, signal};
pub use visitor::{Answer, Visitor};
pub use waiting::{PATIENCE, until};

/// The topics of the order saga.
#[must_use]
pub fn topics() -> Vec<&'static str> {
    Event::topics().iter().map(|topic| topic.name).collect()
}
