//! What the simulator is worth: every deliberate mistake is found.

use engine::mistakes::Mistake;
use simulation::first_failure;

/// Seeds within which each must be found.
const SEEDS: u64 = 600;

#[test]
fn every_mistake_is_found() {
    let missed = Mistake::ALL.iter().copied().filter(|mistake| {
        let begin = || Mistake::make(Some(*mistake));
        first_failure(0..SEEDS, 2, begin, || {}).expect("they are played").is_none()
    });
    assert_eq!(missed.collect::<Vec<_>>(), [], "not found in {SEEDS} seeds");
}
