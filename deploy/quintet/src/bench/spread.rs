//! How long things took: what the half, nine in ten and almost all of them took at most.

use serde::Serialize;
use std::time::Duration;

/// Durations by their ranks. In JSON all are seconds.
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
    /// Of all of them, by the nearest rank: each figure is one that was measured. `None` of none.
    pub(super) fn of(mut all: Vec<Duration>) -> Option<Self> {
        all.sort_unstable();
        let max = *all.last()?;
        let rank = |percent: usize| all[(all.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self { count: all.len(), p50: rank(50), p90: rank(90), p99: rank(99), max })
    }
}

fn seconds<S: serde::Serializer>(it: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(it.as_secs_f64())
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
