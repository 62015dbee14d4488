//! Clocks.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;

/// A wall clock and a steady clock.
pub trait Clock: Send + Sync {
    /// The current time, truncated to microseconds. `PostgreSQL` stores no more, and a time that was written and
    /// read back must be equal.
    fn now(&self) -> Timestamp;

    /// The time that has passed since some fixed moment of this process. It never goes back, and setting the wall
    /// clock does not change it, so pauses within a process are measured with it.
    fn steady(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        from_micros(Timestamp::now().as_microsecond())
    }

    fn steady(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// A clock that moves only when [`ManualClock::advance`] or [`ManualClock::set`] is called.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
    steady_micros: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `start`, truncated to microseconds.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { micros: AtomicI64::new(start.as_microsecond()), steady_micros: AtomicU64::new(0) }
    }

    /// Lets time pass, truncated to microseconds. The wall clock stops at `Timestamp::MAX`.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        let later = |micros: i64| Some(micros.saturating_add(by));
        let longer = |micros: u64| Some(micros.saturating_add(by.unsigned_abs()));
        // Neither function returns `None`, so there is no error.
        let _ = self.micros.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
        let _ = self.steady_micros.fetch_update(Ordering::SeqCst, Ordering::SeqCst, longer);
    }

    /// Sets the wall clock, forward or back, without letting time pass.
    pub fn set(&self, to: Timestamp) {
        self.micros.store(to.as_microsecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        from_micros(self.micros.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_micros(self.steady_micros.load(Ordering::SeqCst))
    }
}

fn from_micros(micros: i64) -> Timestamp {
    // Out of range only for a manual clock beyond the year 9999.
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_show_whole_microseconds() {
        let start: Timestamp = "2024-05-01T10:00:00.123456789Z".parse().unwrap();
        let manual = ManualClock::new(start);
        assert_eq!(manual.now().to_string(), "2024-05-01T10:00:00.123456Z");
        assert_eq!(SystemClock.now().subsec_nanosecond() % 1_000, 0);
    }

    #[test]
    fn the_manual_clock_moves_only_when_it_is_advanced_or_set() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), clock.now());
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().to_string(), "1970-01-01T00:00:01.5Z");
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn setting_the_wall_clock_does_not_change_the_steady_clock() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(3));
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.steady(), Duration::from_secs(3));
        let before = SystemClock.steady();
        assert!(SystemClock.steady() >= before);
    }

    #[test]
    fn the_manual_clock_stops_at_the_end_of_time() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
