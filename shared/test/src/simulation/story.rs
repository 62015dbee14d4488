//! The story of a run.

use std::fmt;

/// A line of a story: a step in which something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The index of the step in its schedule. All steps after the schedule have the index after the last.
    pub nth: usize,
    /// The time of the wall clock, in milliseconds since the beginning.
    pub at: i128,
    /// The part of the system that acted.
    pub by: &'static str,
    /// What it did, and with which result.
    pub what: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nth, at, by, what } = self;
        let sign = if *at < 0 { "-" } else { "" };
        let (seconds, millis) = (at.abs() / 1000, at.abs() % 1000);
        write!(f, "{nth:>4} {sign}{seconds:>6}.{millis:03} s  {by:<12} {what}")
    }
}
