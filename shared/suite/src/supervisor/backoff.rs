//! How long to wait before a program that died is started again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(5);
/// A program that has run for so long counts as healthy: after its next death the pauses begin with [`FIRST`] again.
const HEALTHY: Duration = Duration::from_secs(30);

/// Pauses that double from one death to the next.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The pause after the death of a process that has run for `lived`.
    pub(crate) fn after(&mut self, lived: Duration) -> Duration {
        if lived >= HEALTHY {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LAST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(backoff: &mut Backoff, lives: &[u64]) -> Vec<u128> {
        lives.iter().map(|&s| backoff.after(Duration::from_secs(s)).as_millis()).collect()
    }

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let mut backoff = Backoff::new();
        assert_eq!(pauses(&mut backoff, &[0; 8]), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn pauses_begin_anew_after_half_a_minute_of_life() {
        let mut backoff = Backoff::new();
        assert_eq!(pauses(&mut backoff, &[0, 0, 29, 30, 0]), [100, 200, 400, 100, 200]);
    }
}
