//! What a loop says once and not with each of its attempts.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so long the same trouble is said once more.
const AGAIN: Duration = Duration::from_mins(1);

/// Remembers what was said last, so that a trouble that lasts is one log line a minute.
#[derive(Debug, Default)]
pub struct Said(Mutex<Option<Last>>);

#[derive(Debug)]
struct Last {
    text: String,
    at: Instant,
}

impl Said {
    /// Whether this text is new, or was said a minute ago or more; then it counts as said now.
    pub fn worth_saying(&self, text: &str, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_ref().is_some_and(|last| {
            last.text == text && now.saturating_duration_since(last.at) < AGAIN
        });
        if !known {
            *last = Some(Last { text: text.to_owned(), at: now });
        }
        !known
    }

    /// The trouble is over; whether any was said.
    pub fn over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_said_once_a_minute_and_another_at_once() {
        let (said, now) = (Said::default(), Instant::now());
        assert!(said.worth_saying("denied", now));
        assert!(!said.worth_saying("denied", now + AGAIN / 2));
        assert!(said.worth_saying("away", now + AGAIN / 2));
        assert!(said.worth_saying("denied", now + AGAIN / 2));
        assert!(said.worth_saying("denied", now + AGAIN * 2));
        assert!(said.over() && !said.over());
        assert!(said.worth_saying("denied", now + AGAIN * 2));
    }
}
