//! What happened, one line a step.

use std::fmt;

/// A step that came to something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step's place in its schedule; those after the last are the way to rest.
    pub nth: usize,
    /// When, in milliseconds since the beginning.
    pub at: i128,
    /// Who did it.
    pub who: &'static str,
    /// What, and what came of it.
    pub what: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nth, at, who, what } = self;
        let sign = if *at < 0 { "-" } else { "" };
        let (seconds, millis) = (at.abs() / 1000, at.abs() % 1000);
        write!(f, "{nth:>4} {sign}{seconds:>6}.{millis:03} s  {who:<12} {what}")
    }
}
