//! Orders that arrive when they are due, whatever became of those before. A latency counts from
//! there: who waits only because the system was slow with others has waited all the same.

use std::time::Duration;

/// Evenly spaced arrivals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrivals {
    count: u64,
    /// So many of them …
    each: u64,
    /// … in so long.
    nanos: u128,
}

impl Arrivals {
    /// So many a second, for so long.
    pub(crate) fn new(per_second: u32, lasting: Duration) -> Self {
        let count = u128::from(per_second) * lasting.as_nanos() / NANOS;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Self { count, each: per_second.into(), nanos: NANOS }
    }

    /// So many, spread over so long.
    pub(crate) fn over(lasting: Duration, count: u64) -> Self {
        Self { count, each: count.max(1), nanos: lasting.as_nanos() }
    }

    pub(crate) const fn count(self) -> u64 {
        self.count
    }

    /// When the nth is due, counted from the first.
    pub(crate) fn due(self, nth: u64) -> Duration {
        let nanos = u128::from(nth) * self.nanos / u128::from(self.each);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Announces each when it is due; `until` waits for a time that may have passed.
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

const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrived when it was due at these milliseconds, on a clock that stands still for `stuck`
    /// from the moment `at` on. Both in milliseconds: due, arrived.
    async fn arrived(arrivals: Arrivals, at: u64, stuck: u64) -> Vec<(u64, u64)> {
        let now = std::cell::Cell::new(Duration::ZERO);
        let (at, stuck) = (Duration::from_millis(at), Duration::from_millis(stuck));
        let until = async |due: Duration| {
            now.set(now.get().max(due));
            if now.get() == at {
                now.set(at + stuck);
            }
        };
        let millis = |it: Duration| u64::try_from(it.as_millis()).unwrap();
        let mut seen = Vec::new();
        arrivals.each(until, |_, due| seen.push((millis(due), millis(now.get())))).await;
        seen
    }

    #[tokio::test]
    async fn they_come_evenly_and_none_is_left_out() {
        let seen = arrived(Arrivals::new(50, Duration::from_millis(100)), 1_000, 0).await;
        assert_eq!(seen, [0, 20, 40, 60, 80].map(|due| (due, due)));
        assert_eq!(Arrivals::new(3, Duration::from_secs(1)).count(), 3);
        assert_eq!(Arrivals::new(3, Duration::ZERO).count(), 0);
        assert_eq!(Arrivals::new(3, Duration::from_secs(1)).due(3), Duration::from_secs(1));
        let spread = Arrivals::over(Duration::from_secs(10), 4);
        assert_eq!((spread.count(), spread.due(3)), (4, Duration::from_millis(7_500)));
    }

    #[tokio::test]
    async fn a_stall_delays_them_and_moves_no_due_time() {
        let seen = arrived(Arrivals::new(50, Duration::from_millis(120)), 40, 50).await;
        assert_eq!(seen, [(0, 0), (20, 20), (40, 90), (60, 90), (80, 90), (100, 100)]);
    }
}
