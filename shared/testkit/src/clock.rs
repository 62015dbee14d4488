//! A clock that jumps.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use clock::Clock;
use jiff::Timestamp;

/// A wall clock that is set forward by an hour each time that it is read, while no time passes for the monotonic clock.
#[derive(Debug, Default)]
pub struct RushingClock(AtomicI64);

impl Clock for RushingClock {
    fn now(&self) -> Timestamp {
        let hour = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::UNIX_EPOCH + Duration::from_hours(hour.unsigned_abs())
    }

    fn steady(&self) -> Duration {
        Duration::ZERO
    }
}
