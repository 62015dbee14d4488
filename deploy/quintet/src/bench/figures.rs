//! The measured figures.

use super::counters::Counts;
use super::machine::{Cpu, Party};
use super::spread::Spread;
use crate::cmd::audit::AuditResult;
use std::collections::BTreeMap;
use std::time::Duration;

/// The figures of one suite. A measurement that the user left out is `None`.
#[derive(Debug)]
pub(super) struct Figures {
    /// The suite's bus and databases, and the configuration key that was overridden.
    pub(super) title: String,
    pub(super) disk_before: Spread,
    pub(super) disk_after: Spread,
    pub(super) throughput: Option<Throughput>,
    pub(super) backlog: Option<Backlog>,
    pub(super) latency: Option<Latency>,
    pub(super) idle: Option<Idle>,
    pub(super) audit_result: AuditResult,
}

/// Orders placed as fast as the suite accepts them.
#[derive(Clone, Debug)]
pub(super) struct Throughput {
    pub(super) orders: u64,
    /// From the first POST to the last order's end.
    pub(super) took: Duration,
    /// From the first POST to the last order's acceptance.
    pub(super) accepted_in: Duration,
    pub(super) cost: Cost,
    pub(super) windows: Vec<Window>,
}

/// What some orders cost, from their acceptance until the whole suite is at rest again.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    pub(super) orders: u64,
    pub(super) cpu: Cpu,
    pub(super) counts: Counts,
    /// Transactions that PostgreSQL counted, reads included; `None` without PostgreSQL.
    pub(super) commits: Option<i64>,
}

/// A part of a long run, of about ten thousand orders.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Orders of the whole run that had ended when the window ended.
    pub(super) until: u64,
    pub(super) orders: u64,
    pub(super) took: Duration,
    pub(super) cpu: Cpu,
}

/// Orders that waited for a service that was down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backlog {
    /// Orders that could not continue without that service.
    pub(super) orders: u64,
    /// From the service's start to the last order's end.
    pub(super) took: Duration,
}

/// Orders placed at a steady rate.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    pub(super) per_second: u32,
    /// The time from an order's due time to its acceptance.
    pub(super) accepted: Spread,
    /// The time from an order's due time to its end, by how it ended.
    pub(super) ended: BTreeMap<&'static str, Spread>,
    /// The average time from a batch's begin to its commit in the order service. An order's end is stamped when its batch
    /// begins, so a client sees the end later by this much.
    pub(super) batch: Option<Duration>,
    pub(super) cost: Cost,
}

/// What each process uses while there is nothing to do.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    pub(super) took: Duration,
    pub(super) cpu: Cpu,
    /// Resident memory in bytes.
    pub(super) resident: BTreeMap<Party, Option<u64>>,
}

impl Throughput {
    /// Orders that ended, per second.
    pub(super) fn rate(&self) -> f64 {
        rate(self.orders, self.took)
    }
}

impl Backlog {
    /// Orders that ended, per second.
    pub(super) fn rate(&self) -> f64 {
        rate(self.orders, self.took)
    }
}

impl Window {
    /// Orders that ended, per second.
    pub(super) fn rate(&self) -> f64 {
        rate(self.orders, self.took)
    }

    /// CPU for each order without the load generator's; `None` if a process could not be measured.
    pub(super) fn cpu_each(&self) -> Option<Duration> {
        each(without_the_load(&self.cpu)?, self.orders)
    }
}

impl Cost {
    /// CPU of one party for each order; `None` if it could not be measured.
    pub(super) fn cpu_each(&self, party: Party) -> Option<Duration> {
        each((*self.cpu.get(&party)?)?, self.orders)
    }

    /// CPU for each order without the load generator's; `None` if a process could not be measured.
    pub(super) fn cpu_all(&self) -> Option<Duration> {
        each(without_the_load(&self.cpu)?, self.orders)
    }

    /// Transactions for each order, as PostgreSQL counts them.
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 transactions")]
    pub(super) fn commits_each(&self) -> Option<f64> {
        self.commits.map(|commits| self.per_order(commits as f64))
    }

    /// A count divided by the number of orders.
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 orders")]
    pub(super) fn per_order(&self, count: f64) -> f64 {
        count / self.orders as f64
    }
}

fn without_the_load(cpu: &Cpu) -> Option<Duration> {
    cpu.iter().filter(|(party, _)| **party != Party::Bench).map(|(_, used)| *used).sum()
}

fn each(total: Duration, orders: u64) -> Option<Duration> {
    let nanos = total.as_nanos().checked_div(u128::from(orders))?;
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 orders")]
fn rate(orders: u64, took: Duration) -> f64 {
    if took.is_zero() { 0.0 } else { orders as f64 / took.as_secs_f64() }
}
