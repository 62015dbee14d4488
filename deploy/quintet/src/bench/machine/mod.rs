//! CPU and memory of each party that takes part in an order: services, providers, servers and the load generator.

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

/// A party that takes part in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    Component(Component),
    Postgres,
    Kafka,
    /// This process, which generates the load.
    Bench,
}

/// The processes of a party.
#[derive(Clone, Debug, PartialEq)]
enum Processes {
    /// Processes with these ids.
    Listed(Vec<u32>),
    /// The process with this id and all its children, ended ones included.
    Family(u32),
    /// None on this machine.
    Elsewhere,
}

/// The processes of all parties of a suite.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    parties: BTreeMap<Party, Processes>,
}

/// CPU time that each party has used; `None` for a party that does not run on this machine.
pub(super) type Cpu = BTreeMap<Party, Option<Duration>>;

impl Machine {
    /// Finds the processes behind a suite.
    pub(super) async fn of(suite: &Suite, hints: &Hints) -> Self {
        let mut parties = BTreeMap::from([(Party::Bench, Processes::of(vec![std::process::id()]))]);
        for (&name, service) in &suite.services {
            let pids = service.replicas.iter().filter_map(|replica| replica.pid).collect();
            parties.insert(Party::Component(name), Processes::of(pids));
        }
        for (&name, provider) in &suite.providers {
            let pids = provider.pid.into_iter().collect();
            parties.insert(Party::Component(name), Processes::of(pids));
        }
        if let Some(postmaster) = servers::postmaster(suite, hints).await {
            parties.insert(Party::Postgres, postmaster);
        }
        if let Some(broker) = servers::broker(suite, hints) {
            parties.insert(Party::Kafka, broker);
        }
        Self { parties }
    }

    /// The CPU time that each party has used since its processes started.
    pub(super) fn cpu(&self) -> Cpu {
        self.parties.iter().map(|(party, processes)| (*party, processes.cpu())).collect()
    }

    /// The resident memory of each party in bytes. `None` for a family: its processes share most of their pages, so a sum
    /// would count them many times.
    pub(super) fn resident(&self) -> BTreeMap<Party, Option<u64>> {
        self.parties.iter().map(|(party, processes)| (*party, processes.resident())).collect()
    }
}

impl Processes {
    fn of(pids: Vec<u32>) -> Self {
        if pids.is_empty() { Self::Elsewhere } else { Self::Listed(pids) }
    }

    fn cpu(&self) -> Option<Duration> {
        let ticks: Option<u64> = match self {
            Self::Listed(pids) => pids.iter().map(|pid| Some(Stat::of(*pid)?.own)).sum(),
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
            Self::Listed(pids) => pids.iter().map(|pid| Some(Stat::of(*pid)?.resident())).sum(),
            Self::Family(_) | Self::Elsewhere => None,
        }
    }
}

/// The CPU time that each party used between two readings; `None` for a party that one reading lacks.
pub(super) fn used(before: &Cpu, after: &Cpu) -> Cpu {
    let used_by = |party: &Party| {
        let (before, after) = (before.get(party)?, after.get(party)?);
        after.zip(*before).map(|(after, before)| after.saturating_sub(before))
    };
    after.keys().map(|party| (*party, used_by(party))).collect()
}

impl Party {
    /// The party's name in JSON.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Component(component) => component.name(),
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
            Self::Bench => "load",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Component(component) => component.name(),
            Self::Postgres => "PostgreSQL",
            Self::Kafka => "Kafka",
            Self::Bench => "the load",
        })
    }
}

/// The ids of all processes of this machine; none where the system has no `/proc`.
fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    #[test]
    fn the_use_of_this_process_is_measured_and_an_unknown_process_has_none() {
        let this_process = Processes::of(vec![std::process::id()]);
        let before = this_process.cpu().unwrap();
        while this_process.cpu().unwrap() == before {}
        assert!(this_process.resident().unwrap() > 1 << 20);
        assert_eq!(Processes::of(vec![u32::MAX]).cpu(), None);
        assert_eq!(Processes::of(Vec::new()).cpu(), None);
    }

    #[test]
    fn use_between_two_readings_is_known_of_parties_that_both_readings_have() {
        let second = |count| Some(Duration::from_secs(count));
        let [order, payment] = [names::order(), names::payment()].map(Party::Component);
        let before = Cpu::from([(order, second(3)), (payment, None), (Party::Bench, second(1))]);
        let after = Cpu::from([(order, second(5)), (payment, second(4)), (Party::Kafka, None)]);
        let expected = Cpu::from([(order, second(2)), (payment, None), (Party::Kafka, None)]);
        assert_eq!(used(&before, &after), expected);
    }
}
