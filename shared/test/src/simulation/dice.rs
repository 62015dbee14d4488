//! The randomness of a run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use clock::{Random, SeededRandom};
use uuid::Uuid;

/// The only source of randomness in a run. It is seeded anew for each step, so that a step draws the same numbers when
/// other steps are left out.
pub struct Dice(Mutex<SeededRandom>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(SeededRandom::new(seed)))
    }

    /// Seeds it for a step.
    pub(crate) fn begin(&self, seed: u64) {
        *self.random() = SeededRandom::new(seed);
    }

    fn random(&self) -> MutexGuard<'_, SeededRandom> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn index(&self, n: usize) -> usize {
        index(self, n)
    }

    /// A random id.
    pub fn uuid(&self) -> Uuid {
        Uuid::from_bytes(self.bytes())
    }
}

impl Random for Dice {
    fn bytes(&self) -> [u8; 16] {
        self.random().bytes()
    }

    fn below(&self, n: u64) -> u64 {
        self.random().below(n)
    }
}

/// A random index in a list of `n`; 0 if the list is empty.
pub(crate) fn index(random: &impl Random, n: usize) -> usize {
    usize::try_from(random.below(n as u64)).unwrap_or(0)
}

/// A random index in a list, with a probability proportional to its weight; `None` if the list is empty.
pub(crate) fn weighted(random: &impl Random, weights: &[u64]) -> Option<usize> {
    let mut remaining = random.below(weights.iter().sum());
    let drawn = weights.iter().position(|weight| {
        let is_drawn = remaining < *weight;
        remaining = remaining.saturating_sub(*weight);
        is_drawn
    });
    // If all weights are 0, the first index is taken.
    drawn.or((!weights.is_empty()).then_some(0))
}
