use std::time::Duration;

use jiff::Timestamp;

use crate::settings::later;

/// Attempts without an answer in a row that open the breaker.
const TOLERATED: u32 = 10;
/// How long it stays open the first time; doubles with each failed probe.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest it stays open.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A circuit breaker: after a row of failures it lets nothing through for a while, then one probe
/// at a time until one succeeds.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    open_until: Option<Timestamp>,
    probing: bool,
}

impl Breaker {
    /// How many of `wanted` attempts may start at `now`.
    pub(crate) fn admit(&mut self, wanted: usize, now: Timestamp) -> usize {
        match self.open_until {
            None => wanted,
            Some(until) if now < until || self.probing => 0,
            Some(_) => wanted.min(1),
        }
    }

    /// An attempt that was admitted has started.
    pub(crate) fn started(&mut self) {
        self.probing = self.open_until.is_some();
    }

    /// It had a definite answer. True if that closed the breaker.
    pub(crate) fn succeeded(&mut self) -> bool {
        let was_open = self.open_until.is_some();
        *self = Self::default();
        was_open
    }

    /// It had no answer. True if that opened the breaker.
    pub(crate) fn failed(&mut self, now: Timestamp) -> bool {
        let was_open = self.open_until.is_some();
        self.failures = self.failures.saturating_add(1);
        self.probing = false;
        if self.failures < TOLERATED {
            return false;
        }
        let doublings = (self.failures - TOLERATED).min(10);
        let pause = PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        self.open_until = Some(later(now, pause));
        !was_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        let opened = (0..TOLERATED).filter(|_| breaker.failed(at(0))).count();
        assert_eq!(opened, 1);
        breaker
    }

    #[test]
    fn opens_after_a_row_of_failures_only() {
        let mut breaker = Breaker::default();
        for _ in 0..TOLERATED * 3 {
            for _ in 1..TOLERATED {
                assert!(!breaker.failed(at(0)));
            }
            assert!(!breaker.succeeded());
        }
        assert_eq!(breaker.admit(7, at(0)), 7);
    }

    #[test]
    fn admits_one_probe_after_the_pause_and_closes_on_success() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(7, at(499)), 0);
        assert_eq!(breaker.admit(7, at(500)), 1);
        breaker.started();
        assert_eq!(breaker.admit(7, at(500)), 0, "one probe at a time");
        assert!(breaker.succeeded());
        assert_eq!(breaker.admit(7, at(500)), 7);
    }

    #[test]
    fn a_failed_probe_waits_twice_as_long() {
        let mut breaker = opened();
        breaker.started();
        assert!(!breaker.failed(at(500)));
        assert_eq!(breaker.admit(1, at(1499)), 0);
        assert_eq!(breaker.admit(1, at(1500)), 1);
    }
}
