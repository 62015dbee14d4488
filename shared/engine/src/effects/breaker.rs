use std::{collections::VecDeque, time::Duration};

use event::EffectId;

/// How many effects the breaker looks at. Of each, only the latest attempt counts.
const WINDOW: usize = 32;
/// With fewer effects than this in its window, the breaker does not open.
const FEWEST: usize = 10;
/// The breaker opens when at least this many percent of the effects in its window have no answer.
const FAILING_PERCENT: usize = 80;
/// How long the breaker stays open the first time. The pause doubles with each failed probe.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest that the breaker stays open between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A circuit breaker for everything that a service asks of the outside world.
///
/// It counts distinct effects, not attempts: one effect that fails a hundred times is one failure. While
/// it is open, one probe goes out after each pause, until an attempt is answered. Times are
/// [`clock::Clock::steady`].
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// The latest attempt of each effect, the most recent last.
    window: VecDeque<Sample>,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    effect: EffectId,
    failed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    since: Duration,
    probe_at: Duration,
    pause: Duration,
    probing: bool,
}

impl Breaker {
    /// Whether attempts are held back.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a probe may go out now.
    pub(super) fn admits_probe(&self, now: Duration) -> bool {
        self.open.is_some_and(|open| !open.probing && open.probe_at <= now)
    }

    /// When the next probe may go out; `None` while the breaker is closed or a probe is under way.
    pub(super) fn next_probe(&self) -> Option<Duration> {
        self.open.filter(|open| !open.probing).map(|open| open.probe_at)
    }

    /// A probe has started.
    pub(super) fn probing(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
    }

    /// An attempt was answered. If that closes the breaker: for how long it was open.
    pub(super) fn answered(&mut self, effect: EffectId, now: Duration) -> Option<Duration> {
        let Some(open) = self.open.take() else {
            self.sample(effect, false);
            return None;
        };
        self.window.clear();
        Some(now.saturating_sub(open.since))
    }

    /// An attempt had no answer. True if that opens the breaker.
    pub(super) fn failed(&mut self, effect: EffectId, now: Duration) -> bool {
        self.sample(effect, true);
        if let Some(open) = &mut self.open {
            if open.probing {
                open.probing = false;
                open.pause = open.pause.saturating_mul(2).min(LONGEST_PAUSE);
                open.probe_at = now.saturating_add(open.pause);
            }
            return false;
        }
        let failing = self.window.iter().filter(|sample| sample.failed).count();
        let seen = self.window.len();
        if seen < FEWEST || failing * 100 < seen * FAILING_PERCENT {
            return false;
        }
        let probe_at = now.saturating_add(PAUSE);
        self.open = Some(Open { since: now, probe_at, pause: PAUSE, probing: false });
        true
    }

    fn sample(&mut self, effect: EffectId, failed: bool) {
        self.window.retain(|sample| sample.effect != effect);
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(Sample { effect, failed });
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn effect(number: usize) -> EffectId {
        Uuid::from_u128(number as u128).into()
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        let openings = (0..FEWEST).filter(|number| breaker.failed(effect(*number), at(0))).count();
        assert_eq!(openings, 1);
        breaker
    }

    #[test]
    fn one_effect_that_keeps_failing_does_not_open_the_breaker() {
        let mut breaker = Breaker::default();
        for _ in 0..FEWEST * 10 {
            assert!(!breaker.failed(effect(1), at(0)));
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn the_breaker_stays_closed_while_a_third_of_the_effects_are_answered() {
        let mut breaker = Breaker::default();
        for number in 0..WINDOW {
            if number % 3 == 0 {
                assert_eq!(breaker.answered(effect(number), at(0)), None);
            } else {
                assert!(!breaker.failed(effect(number), at(0)), "effect {number}");
            }
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_probe_goes_out_after_the_pause_and_an_answer_closes_the_breaker() {
        let mut breaker = opened();
        assert!(!breaker.admits_probe(at(499)));
        assert!(breaker.admits_probe(at(500)));
        assert_eq!(breaker.next_probe(), Some(at(500)));
        breaker.probing();
        assert!(!breaker.admits_probe(at(500)), "one probe at a time");
        assert_eq!(breaker.answered(effect(1), at(700)), Some(at(700)));
        assert!(!breaker.is_open());
        assert!(!breaker.failed(effect(2), at(700)), "the window is empty again");
    }

    #[test]
    fn the_pause_doubles_with_each_failed_probe_up_to_the_longest() {
        let mut breaker = opened();
        let mut now = at(0);
        for pause in [500, 1_000, 2_000, 4_000, 5_000, 5_000] {
            assert!(!breaker.admits_probe(now + at(pause - 1)), "pause {pause}");
            now += at(pause);
            assert!(breaker.admits_probe(now), "pause {pause}");
            breaker.probing();
            assert!(!breaker.failed(effect(1), now), "the breaker was open before");
        }
    }

    #[test]
    fn a_failed_attempt_that_is_no_probe_does_not_prolong_the_pause() {
        let mut breaker = opened();
        assert!(!breaker.failed(effect(99), at(400)));
        assert!(breaker.admits_probe(at(500)));
    }
}
