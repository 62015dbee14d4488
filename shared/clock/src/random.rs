//! Randomness.

use std::sync::{Mutex, PoisonError};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// Draws random numbers.
pub trait Random: Send + Sync {
    /// 128 random bits.
    fn bytes(&self) -> [u8; 16];

    /// A number in `0..n`, each equally likely; 0 if `n` is 0.
    fn below(&self, n: u64) -> u64;
}

/// The generator of the current thread, which the operating system has seeded.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bytes(&self) -> [u8; 16] {
        rand::rng().random()
    }

    fn below(&self, n: u64) -> u64 {
        below(&mut rand::rng(), n)
    }
}

/// A generator whose numbers follow from a seed, the same on every platform.
#[derive(Debug)]
pub struct SeededRandom(Mutex<Xoshiro256PlusPlus>);

impl SeededRandom {
    /// A generator whose whole sequence follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Xoshiro256PlusPlus) -> T) -> T {
        // Every state of a generator is valid, so it is usable after a panic.
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Random for SeededRandom {
    fn bytes(&self) -> [u8; 16] {
        self.draw(RngExt::random)
    }

    fn below(&self, n: u64) -> u64 {
        self.draw(|rng| below(rng, n))
    }
}

fn below(rng: &mut impl RngExt, n: u64) -> u64 {
    if n == 0 { 0 } else { rng.random_range(0..n) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_limit_is_drawn_and_none_above() {
        for random in [&SeededRandom::new(3) as &dyn Random, &SystemRandom] {
            let mut seen = [false; 5];
            for _ in 0..1_000 {
                seen[usize::try_from(random.below(5)).unwrap()] = true;
            }
            assert_eq!(seen, [true; 5]);
            assert_eq!((random.below(0), random.below(1)), (0, 0));
            assert_ne!(random.bytes(), random.bytes());
        }
    }

    #[test]
    fn a_seed_gives_the_same_numbers_in_every_release() {
        let random = SeededRandom::new(42);
        let drawn = [(); 3].map(|()| random.below(1_000));
        assert_eq!(drawn, [814, 318, 983]);
    }
}
