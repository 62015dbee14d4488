use std::{collections::HashMap, time::Duration};

/// The most failing keys that are remembered. Any further key counts as healthy.
const MOST_KEYS: usize = 10_000;

/// How the outside world treats each isolation key ([`crate::Effect::isolation_key`]), so that the failures
/// of one key cost that key only.
///
/// A key whose attempts take long and then fail loses half of its slots with each of them, down to one.
/// Each answer doubles them again.
#[derive(Debug)]
pub(super) struct Isolation {
    /// The slots of a healthy key.
    healthy: usize,
    /// An attempt that fails after at least this long has kept its slot from other keys.
    slow: Duration,
    failing: HashMap<String, Failing>,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    /// Failures since the last answer.
    failures: u32,
    slots: usize,
}

impl Isolation {
    pub(super) fn new(healthy: usize, slow: Duration) -> Self {
        Self { healthy, slow, failing: HashMap::new() }
    }

    /// How many attempts of this key may be under way at once.
    pub(super) fn slots(&self, key: &str) -> usize {
        self.failing.get(key).map_or(self.healthy, |failing| failing.slots)
    }

    /// Whether this key has lost slots, because its attempts took long and then failed.
    pub(super) fn is_slow(&self, key: &str) -> bool {
        self.slots(key) < self.healthy
    }

    /// How many attempts of this key in a row had no answer.
    pub(super) fn failures(&self, key: &str) -> u32 {
        self.failing.get(key).map_or(0, |failing| failing.failures)
    }

    /// Whether any key has lost slots, or failed since its last answer.
    pub(super) fn any_fails(&self) -> bool {
        !self.failing.is_empty()
    }

    /// An attempt of this key was answered.
    pub(super) fn answered(&mut self, key: &str) {
        let Some(failing) = self.failing.get_mut(key) else { return };
        failing.failures = 0;
        failing.slots *= 2;
        if failing.slots >= self.healthy {
            self.failing.remove(key);
        }
    }

    /// An attempt of this key ended without an answer after `took`.
    pub(super) fn failed(&mut self, key: &str, took: Duration) {
        if !self.failing.contains_key(key) {
            if self.failing.len() >= MOST_KEYS {
                return;
            }
            let healthy = Failing { failures: 0, slots: self.healthy };
            self.failing.insert(key.to_owned(), healthy);
        }
        let Some(failing) = self.failing.get_mut(key) else { return };
        failing.failures = failing.failures.saturating_add(1);
        if took >= self.slow {
            failing.slots = (failing.slots / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_secs(1);

    #[test]
    fn slow_failures_take_a_keys_slots_and_answers_give_them_back() {
        let mut keys = Isolation::new(8, SLOW);
        for slots in [4, 2, 1, 1] {
            keys.failed("a", SLOW);
            assert_eq!(keys.slots("a"), slots);
            assert!(keys.is_slow("a") && !keys.is_slow("b"));
        }
        assert_eq!((keys.failures("a"), keys.slots("b"), keys.failures("b")), (4, 8, 0));
        for slots in [2, 4, 8] {
            keys.answered("a");
            assert_eq!((keys.slots("a"), keys.failures("a")), (slots, 0));
        }
        assert!(keys.failing.is_empty());
    }

    #[test]
    fn a_quick_failure_costs_the_key_no_slot() {
        let mut keys = Isolation::new(8, SLOW);
        keys.failed("a", SLOW / 2);
        assert_eq!((keys.slots("a"), keys.failures("a"), keys.is_slow("a")), (8, 1, false));
        keys.answered("a");
        assert!(keys.failing.is_empty());
    }

    #[test]
    fn the_number_of_remembered_keys_is_bounded() {
        let mut keys = Isolation::new(8, SLOW);
        for number in 0..=MOST_KEYS {
            keys.failed(&number.to_string(), SLOW);
        }
        assert_eq!(keys.failing.len(), MOST_KEYS);
        assert_eq!(keys.slots(&MOST_KEYS.to_string()), 8);
    }
}
