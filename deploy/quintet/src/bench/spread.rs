//! Percentiles of measured durations.

use serde::Serialize;
use std::time::Duration;

/// The median, the 90th and 99th percentile and the maximum of some durations. JSON has them in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) count: usize,
    #[serde(serialize_with = "seconds")]
    pub(super) p50: Duration,
    #[serde(serialize_with = "seconds")]
    pub(super) p90: Duration,
    #[serde(serialize_with = "seconds")]
    pub(super) p99: Duration,
    #[serde(serialize_with = "seconds")]
    pub(super) max: Duration,
}

impl Spread {
    /// By the nearest rank, so that each figure is a duration that was measured. `None` if there are no durations.
    pub(super) fn of(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort_unstable();
        let (count, max) = (durations.len(), *durations.last()?);
        let rank = |percent: usize| durations[(count * percent).div_ceil(100).max(1) - 1];
        Some(Self { count, p50: rank(50), p90: rank(90), p99: rank(99), max })
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(all: impl IntoIterator<Item = u64>) -> Option<[u128; 4]> {
        let spread = Spread::of(all.into_iter().map(Duration::from_millis).collect())?;
        Some([spread.p50, spread.p90, spread.p99, spread.max].map(|it| it.as_millis()))
    }

    #[test]
    fn each_figure_is_the_nearest_rank() {
        assert_eq!(millis((1..=100).rev()), Some([50, 90, 99, 100]));
        assert_eq!(millis(1..=1_000), Some([500, 900, 990, 1_000]));
        assert_eq!(millis(1..=10), Some([5, 9, 10, 10]));
        assert_eq!(millis([3, 1]), Some([1, 3, 3, 3]));
        assert_eq!(millis([7]), Some([7; 4]));
        assert_eq!(millis([]), None);
    }
}
