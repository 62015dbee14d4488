//! Limits how often a loop logs the same error.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so long an error that lasts is logged once more.
const REPEAT_AFTER: Duration = Duration::from_mins(1);

/// Remembers the last error that a loop has logged, so that an error that lasts is one log line a minute and
/// not one for each attempt.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<Option<Last>>);

#[derive(Debug)]
struct Last {
    text: String,
    at: Instant,
}

impl LogThrottle {
    /// Whether to log this text now: it differs from the last one, or the last one was logged a minute ago. If
    /// so, the text counts as logged.
    pub fn should_log(&self, text: &str, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_repeated = last.as_ref().is_some_and(|last| {
            last.text == text && now.saturating_duration_since(last.at) < REPEAT_AFTER
        });
        if !is_repeated {
            *last = Some(Last { text: text.to_owned(), at: now });
        }
        !is_repeated
    }

    /// Notes that the error is over, and returns whether one was logged.
    pub fn reset(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_error_is_logged_once_a_minute_and_another_one_at_once() {
        let (throttle, now) = (LogThrottle::default(), Instant::now());
        assert!(throttle.should_log("denied", now));
        assert!(!throttle.should_log("denied", now + REPEAT_AFTER / 2));
        assert!(throttle.should_log("away", now + REPEAT_AFTER / 2));
        assert!(throttle.should_log("denied", now + REPEAT_AFTER / 2));
        assert!(throttle.should_log("denied", now + REPEAT_AFTER * 2));
        assert!(throttle.reset() && !throttle.reset());
        assert!(throttle.should_log("denied", now + REPEAT_AFTER * 2));
    }
}
