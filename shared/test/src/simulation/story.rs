use std::fmt;

/// A line of a story: a step that something came of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step's place in its schedule. The steps of the way to rest have the place after the last.
    pub nth: usize,
    /// When, in milliseconds since the beginning.
    pub at: i128,
    /// The part of the system that did it.
    pub by: &'static str,
    /// What, and what came of it.
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
