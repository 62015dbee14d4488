use std::time::Duration;

/// After this many times the typical time of an answer, an answer is unlikely.
const TIMES: u32 = 8;
/// The shortest patience, as a share of the time-out.
const SHORTEST_SHARE: u32 = 20;
/// The patience while nothing was answered yet, as a share of the time-out.
const FIRST_SHARE: u32 = 5;
/// A new answer is one part in this many of the average.
const WEIGHT: u32 = 8;

/// How long an attempt may occupy a slot that other effects wait for: several times the typical time of an answer. It
/// doubles with each repeat, up to the time-out, so that a provider that has become slow can still answer.
#[derive(Debug)]
pub(super) struct Patience {
    timeout: Duration,
    /// The moving average of how long answers take.
    typical: Option<Duration>,
}

impl Patience {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, typical: None }
    }

    /// An attempt was answered after `took`.
    pub(super) fn answered(&mut self, took: Duration) {
        let typical = self.typical.unwrap_or(took);
        self.typical = Some(typical * (WEIGHT - 1) / WEIGHT + took / WEIGHT);
    }

    /// The patience with an effect that was attempted `attempts` times before.
    pub(super) fn with(&self, attempts: i64) -> Duration {
        let shortest = self.timeout / SHORTEST_SHARE;
        let first = match self.typical {
            None => self.timeout / FIRST_SHARE,
            Some(typical) => typical.saturating_mul(TIMES).max(shortest),
        };
        let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(16);
        first.saturating_mul(1 << doublings).min(self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_patience_follows_the_answers_between_a_shortest_and_the_time_out() {
        let mut patience = Patience::new(TIMEOUT);
        assert_eq!(patience.with(0), millis(1_000), "nothing was answered yet");
        patience.answered(millis(1));
        assert_eq!(patience.with(0), millis(250));
        for _ in 0..100 {
            patience.answered(millis(200));
        }
        assert!((millis(1_500)..=millis(1_600)).contains(&patience.with(0)));
        for _ in 0..100 {
            patience.answered(millis(3_000));
        }
        assert_eq!(patience.with(0), TIMEOUT);
    }

    #[test]
    fn each_repeat_has_twice_the_patience() {
        let mut patience = Patience::new(TIMEOUT);
        patience.answered(millis(50));
        let waits: Vec<_> = (0..6).map(|attempts| patience.with(attempts).as_millis()).collect();
        assert_eq!(waits, [400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(patience.with(i64::MAX), TIMEOUT);
    }
}
