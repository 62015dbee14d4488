//! Arrivals at a steady rate. An order arrives when it is due, also if the system is still busy with earlier ones. Latencies
//! count from the due time, so an order that waits behind slow ones counts as slow too (no coordinated omission).

use std::time::Duration;

/// Evenly spaced arrivals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrivals {
    count: u64,
    /// The rate is `per_period` arrivals in `period_nanos`.
    per_period: u64,
    period_nanos: u128,
}

impl Arrivals {
    /// `per_second` arrivals a second, for this time.
    pub(crate) fn new(per_second: u32, lasting: Duration) -> Self {
        let count = u128::from(per_second) * lasting.as_nanos() / NANOS_PER_SECOND;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Self { count, per_period: per_second.into(), period_nanos: NANOS_PER_SECOND }
    }

    /// `count` arrivals, spread over this time.
    pub(crate) fn over(lasting: Duration, count: u64) -> Self {
        Self { count, per_period: count.max(1), period_nanos: lasting.as_nanos() }
    }

    pub(crate) const fn count(self) -> u64 {
        self.count
    }

    /// When the nth arrival is due, counted from the first.
    pub(crate) fn due(self, nth: u64) -> Duration {
        let nanos = u128::from(nth) * self.period_nanos / u128::from(self.per_period);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Calls `arrives` for each arrival when it is due. `until` waits until that time, and must return at once if it has
    /// passed.
    pub(crate) async fn each(
        self,
        mut until: impl AsyncFnMut(Duration),
        mut arrives: impl FnMut(u64, Duration),
    ) {
        for nth in 0..self.count {
            let due = self.due(nth);
            until(due).await;
            arrives(nth, due);
        }
    }
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// When arrivals were due and when they arrived, if the process stalls for `stall` when the arrival of `stall_at` is due.
    /// All times are in milliseconds.
    async fn arrived(arrivals: Arrivals, stall_at: u64, stall: u64) -> Vec<(u64, u64)> {
        let now = std::cell::Cell::new(Duration::ZERO);
        let (stall_at, stall) = (Duration::from_millis(stall_at), Duration::from_millis(stall));
        let until = async |due: Duration| {
            now.set(now.get().max(due));
            if now.get() == stall_at {
                now.set(stall_at + stall);
            }
        };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        let mut seen = Vec::new();
        arrivals.each(until, |_, due| seen.push((millis(due), millis(now.get())))).await;
        seen
    }

    #[tokio::test]
    async fn arrivals_are_evenly_spaced_and_none_is_left_out() {
        let seen = arrived(Arrivals::new(50, Duration::from_millis(100)), 1_000, 0).await;
        assert_eq!(seen, [0, 20, 40, 60, 80].map(|due| (due, due)));
        assert_eq!(Arrivals::new(3, Duration::from_secs(1)).count(), 3);
        assert_eq!(Arrivals::new(3, Duration::ZERO).count(), 0);
        assert_eq!(Arrivals::new(3, Duration::from_secs(1)).due(3), Duration::from_secs(1));
        let spread = Arrivals::over(Duration::from_secs(10), 4);
        assert_eq!((spread.count(), spread.due(3)), (4, Duration::from_millis(7_500)));
    }

    #[tokio::test]
    async fn a_stall_delays_arrivals_and_moves_no_due_time() {
        let seen = arrived(Arrivals::new(50, Duration::from_millis(120)), 40, 50).await;
        assert_eq!(seen, [(0, 0), (20, 20), (40, 90), (60, 90), (80, 90), (100, 100)]);
    }
}
