//! Decides which lines are about an aggregate: those that contain its id, or a trace id that a line with its id has.

use super::file::LogFile;
use crate::cmd::id::Id;
use anyhow::Result;
use std::collections::BTreeSet;

/// The field of a line with the id of a trace, as text or as JSON.
const FIELDS: [&str; 2] = ["trace_id=\"", "\"trace_id\":\""];
/// The number of hexadecimal digits of a trace id.
const TRACE: usize = 32;

/// An aggregate, and the traces of it.
#[derive(Debug)]
pub(super) struct About {
    id: Id,
    traces: BTreeSet<String>,
}

impl About {
    pub(super) fn new(id: Id) -> Self {
        Self { id, traces: BTreeSet::new() }
    }

    /// Finds the traces of the aggregate in logs. All logs are needed: a service may log only the trace.
    pub(super) fn learn_from(&mut self, logs: impl Iterator<Item = LogFile>) -> Result<()> {
        for mut log in logs {
            for line in log.lines(false) {
                self.learn(&line?.text);
            }
        }
        Ok(())
    }

    /// Notes the traces of a line that contains the id; returns whether it does.
    pub(super) fn learn(&mut self, line: &str) -> bool {
        let contains = self.id.is_in(line);
        if contains {
            self.traces.extend(traces(line).map(ToOwned::to_owned));
        }
        contains
    }

    pub(super) fn is_in(&self, line: &str) -> bool {
        self.id.is_in(line) || traces(line).any(|trace| self.traces.contains(trace))
    }
}

fn traces(line: &str) -> impl Iterator<Item = &str> {
    FIELDS.into_iter().flat_map(move |field| {
        let ids = line.match_indices(field).map(move |(at, _)| at + field.len());
        ids.filter_map(move |begin| line.get(begin..begin + TRACE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a1fe42-9258-7ba5-b604-8abaca0e01a8";

    #[test]
    fn lines_with_the_id_or_a_trace_of_it_are_about_an_aggregate() {
        let (one, other) = ("a".repeat(TRACE), "b".repeat(TRACE));
        let mut about = About::new(Id::parse(ID).unwrap());
        let of_trace = format!("no answer trace_id=\"{one}\" attempts=1");
        assert!(!about.is_in(&of_trace));
        assert!(!about.learn(&of_trace));
        assert!(about.learn(&format!("booked aggregate_id={ID} trace_id=\"{one}\"")));
        assert!(about.is_in(&of_trace));
        let json = format!("{{\"message\":\"no answer\",\"span\":{{\"trace_id\":\"{one}\"}}}}");
        assert!(about.is_in(&json));
        assert!(!about.is_in(&of_trace.replace(&one, &other)));
        assert!(about.is_in(&format!("{{\"aggregate_id\":\"{ID}\"}}")));
        assert!(!about.is_in("trace_id=\"a"));
    }
}
