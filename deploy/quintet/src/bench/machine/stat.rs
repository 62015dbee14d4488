//! Reads `/proc/PID/stat`: the CPU and memory of a process.

use std::fs;
use std::time::Duration;

/// The fields of `/proc/PID/stat` that the bench needs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stat {
    pub(super) name: String,
    pub(super) parent: u32,
    /// CPU time of all its threads, in ticks.
    pub(super) own: u64,
    /// CPU time of its children that have ended, in ticks.
    pub(super) ended_children: u64,
    /// Resident pages.
    pub(super) pages: u64,
}

impl Stat {
    /// Reads a process of this machine; `None` if it has ended.
    pub(super) fn of(pid: u32) -> Option<Self> {
        parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Reads all processes of this machine, with their ids.
    pub(super) fn all() -> Vec<(u32, Self)> {
        super::pids().filter_map(|pid| Some((pid, Self::of(pid)?))).collect()
    }

    /// Resident memory in bytes.
    pub(super) fn resident(&self) -> u64 {
        self.pages * rustix::param::page_size() as u64
    }
}

/// Converts ticks to a duration.
pub(super) fn time(ticks: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(ticks * 1_000 / per_second)
}

/// Parses `pid (name) state parent …`. The name may contain spaces and parentheses, so the fields are counted from the last
/// `)`. Their numbers are those of proc(5).
fn parse(stat: &str) -> Option<Stat> {
    let (head, rest) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        name: name.to_owned(),
        parent: u32::try_from(number(4)?).ok()?,
        own: number(14)? + number(15)?,
        // The kernel prints these as signed numbers, but they are never negative.
        ended_children: number(16)? + number(17)?,
        pages: number(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line = "4711 (post) gres: (x) S 17 4711 4711 0 -1 4194304 9 8 7 6 \
                    1200 34 500 6 20 0 1 0 12345 222222 512 18446744073709551615 1 1\n";
        let expected = Stat {
            name: "post) gres: (x".to_owned(),
            parent: 17,
            own: 1_234,
            ended_children: 506,
            pages: 512,
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("4711 (short) S 17"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn ticks_become_seconds() {
        assert_eq!(time(rustix::param::clock_ticks_per_second() * 3), Duration::from_secs(3));
    }
}
