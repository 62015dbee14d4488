use std::sync::{Mutex, MutexGuard, PoisonError};

use clock::{Random, SeededRandom};
use uuid::Uuid;

/// The only source of chance in a run. It begins anew with the seed of each step.
pub struct Dice(Mutex<SeededRandom>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(SeededRandom::new(seed)))
    }

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

    /// An id.
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

/// A place in a list of `n`; 0 if the list is empty.
pub(crate) fn index(random: &impl Random, n: usize) -> usize {
    usize::try_from(random.below(n as u64)).unwrap_or(0)
}

/// A place in a list, drawn as often as its weight says; `None` if the list is empty.
pub(crate) fn weighted(random: &impl Random, weights: &[u64]) -> Option<usize> {
    let mut left = random.below(weights.iter().sum());
    let drawn = weights.iter().position(|weight| {
        let here = left < *weight;
        left = left.saturating_sub(*weight);
        here
    });
    // If nothing weighs anything, the first is as good as any.
    drawn.or((!weights.is_empty()).then_some(0))
}
