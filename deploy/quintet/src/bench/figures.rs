//! What was measured.

use super::counters::Counts;
use super::machine::{Cpu, Party};
use super::spread::Spread;
use crate::cmd::audit::Verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// One suite's figures. What was not asked for is `None`.
#[derive(Debug)]
pub(super) struct Figures {
    /// What the suite stands on, and what was overridden.
    pub(super) title: String,
    pub(super) disk_before: Spread,
    pub(super) disk_after: Spread,
    pub(super) throughput: Option<Throughput>,
    pub(super) backlog: Option<Backlog>,
    pub(super) latency: Option<Latency>,
    pub(super) idle: Option<Idle>,
    pub(super) verdict: Verdict,
}

/// Orders placed as fast as they are taken.
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

/// What orders cost, all that follows from them included.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    pub(super) orders: u64,
    pub(super) cpu: Cpu,
    pub(super) counts: Counts,
    /// Transactions as PostgreSQL counts them.
    pub(super) commits: Option<i64>,
}

/// A stretch of a long run.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Orders that had ended by its end.
    pub(super) until: u64,
    pub(super) orders: u64,
    pub(super) took: Duration,
    pub(super) cpu: Cpu,
}

/// Orders that waited for a service that was down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backlog {
    /// Orders that could not go on without it.
    pub(super) orders: u64,
    /// From its start to the last one's end.
    pub(super) took: Duration,
}

/// Orders placed at a steady rate.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    pub(super) per_second: u32,
    /// From when each was due to its acceptance.
    pub(super) accepted: Spread,
    /// From when each was due to its end, by how it ended.
    pub(super) ended: BTreeMap<&'static str, Spread>,
    /// What order's commit adds to that, on average: an end counts from its batch's begin.
    pub(super) turn: Option<Duration>,
    pub(super) cost: Cost,
}

/// What everybody uses when there is nothing to do.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    pub(super) took: Duration,
    pub(super) cpu: Cpu,
    /// Bytes in memory.
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

    /// CPU of all but the load for each order, where all of them were seen.
    pub(super) fn cpu_each(&self) -> Option<Duration> {
        each(without_the_load(&self.cpu)?, self.orders)
    }
}

impl Cost {
    /// CPU of one party for each order.
    pub(super) fn cpu_each(&self, party: Party) -> Option<Duration> {
        each((*self.cpu.get(&party)?)?, self.orders)
    }

    /// CPU of all but the load for each order, where all of them were seen.
    pub(super) fn cpu_all(&self) -> Option<Duration> {
        each(without_the_load(&self.cpu)?, self.orders)
    }

    /// Transactions for each order, as PostgreSQL counts them.
    #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 transactions")]
    pub(super) fn commits_each(&self) -> Option<f64> {
        self.commits.map(|commits| self.per_order(commits as f64))
    }

    /// So many for each order.
    #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 orders")]
    pub(super) fn per_order(&self, count: f64) -> f64 {
        count / self.orders as f64
    }
}

fn without_the_load(cpu: &Cpu) -> Option<Duration> {
    cpu.iter().filter(|(party, _)| **party != Party::Bench).map(|(_, used)| *used).sum()
}

fn each(all: Duration, orders: u64) -> Option<Duration> {
    let nanos = all.as_nanos().checked_div(u128::from(orders))?;
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 orders")]
fn rate(orders: u64, took: Duration) -> f64 {
    if took.is_zero() { 0.0 } else { orders as f64 / took.as_secs_f64() }
}
