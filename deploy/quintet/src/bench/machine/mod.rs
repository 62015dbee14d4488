//! What everybody who has a part in an order uses of this machine.

mod listener;
mod servers;
mod stat;

use quintet_suite::Component;
use quintet_suite::Suite;
use stat::Stat;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::time::Duration;

pub(super) use servers::{Hints, committed};

/// Who has a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    Component(Component),
    Postgres,
    Kafka,
    /// This process: the customers.
    Bench,
}

/// Who is looked at.
#[derive(Clone, Debug, PartialEq)]
enum Watched {
    /// These processes.
    Processes(Vec<u32>),
    /// This one and all its children, also those that have ended.
    Family(u32),
    /// Not to be seen from here.
    Elsewhere,
}

/// Everybody of a suite.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    watched: BTreeMap<Party, Watched>,
}

/// CPU that each has used; `None` of who is not on this machine.
pub(super) type Cpu = BTreeMap<Party, Option<Duration>>;

impl Machine {
    /// Finds the processes behind a suite.
    pub(super) async fn of(suite: &Suite, hints: &Hints) -> Self {
        let mut watched = BTreeMap::from([(Party::Bench, processes(vec![std::process::id()]))]);
        for (&service, found) in &suite.services {
            let pids = found.replicas.iter().filter_map(|replica| replica.pid).collect();
            watched.insert(Party::Component(service), processes(pids));
        }
        for (&provider, found) in &suite.providers {
            watched.insert(Party::Component(provider), processes(found.pid.into_iter().collect()));
        }
        if let Some(postmaster) = servers::postmaster(suite, hints).await {
            watched.insert(Party::Postgres, postmaster);
        }
        if let Some(broker) = servers::broker(suite, hints) {
            watched.insert(Party::Kafka, broker);
        }
        Self { watched }
    }

    /// What each has used since it began.
    pub(super) fn cpu(&self) -> Cpu {
        self.watched.iter().map(|(party, watched)| (*party, watched.cpu())).collect()
    }

    /// The bytes that each of them holds in memory. A family shares most of what it holds, so that
    /// a sum would say nothing.
    pub(super) fn resident(&self) -> BTreeMap<Party, Option<u64>> {
        self.watched.iter().map(|(party, watched)| (*party, watched.resident())).collect()
    }
}

impl Watched {
    fn cpu(&self) -> Option<Duration> {
        let ticks: Option<u64> = match self {
            Self::Processes(pids) => pids.iter().map(|pid| Some(Stat::of(*pid)?.own)).sum(),
            Self::Family(head) => {
                let children = Stat::all().into_iter().filter(|(_, stat)| stat.parent == *head);
                let children: u64 = children.map(|(_, stat)| stat.own).sum();
                Stat::of(*head).map(|stat| stat.own + stat.ended_children + children)
            }
            Self::Elsewhere => None,
        };
        ticks.map(stat::time)
    }

    fn resident(&self) -> Option<u64> {
        match self {
            Self::Processes(pids) => pids.iter().map(|pid| Some(Stat::of(*pid)?.resident())).sum(),
            Self::Family(_) | Self::Elsewhere => None,
        }
    }
}

fn processes(pids: Vec<u32>) -> Watched {
    if pids.is_empty() { Watched::Elsewhere } else { Watched::Processes(pids) }
}

/// What each has used from one time to another.
pub(super) fn used(before: &Cpu, after: &Cpu) -> Cpu {
    let of = |party: &Party| {
        let (before, after) = (before.get(party)?, after.get(party)?);
        after.zip(*before).map(|(after, before)| after.saturating_sub(before))
    };
    after.keys().map(|party| (*party, of(party))).collect()
}

impl Party {
    /// Its name in JSON.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Component(program) => program.name(),
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
            Self::Bench => "load",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Component(program) => program.name(),
            Self::Postgres => "PostgreSQL",
            Self::Kafka => "Kafka",
            Self::Bench => "the load",
        })
    }
}

/// The ids of all processes here; none where the system has no `/proc`.
fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    #[test]
    fn what_we_use_ourselves_is_seen_and_a_stranger_is_not() {
        let ourselves = processes(vec![std::process::id()]);
        let before = ourselves.cpu().unwrap();
        while ourselves.cpu().unwrap() == before {}
        assert!(ourselves.resident().unwrap() > 1 << 20);
        assert_eq!(processes(vec![u32::MAX]).cpu(), None);
        assert_eq!(processes(Vec::new()).cpu(), None);
    }

    #[test]
    fn what_was_used_in_between_is_told_of_who_was_there_at_both_times() {
        let second = |it| Some(Duration::from_secs(it));
        let [order, payment] = [names::order(), names::payment()].map(Party::Component);
        let before = Cpu::from([(order, second(3)), (payment, None), (Party::Bench, second(1))]);
        let after = Cpu::from([(order, second(5)), (payment, second(4)), (Party::Kafka, None)]);
        let expected = Cpu::from([(order, second(2)), (payment, None), (Party::Kafka, None)]);
        assert_eq!(used(&before, &after), expected);
    }
}
