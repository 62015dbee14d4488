//! What the simulator is worth: every deliberate mistake is found, and told in few words.

use engine::mistakes::Mistake;
use simulation::{Databases, Schedule, first_failure, run, runtime, shrink};

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

#[test]
fn a_failure_is_made_small_and_fails_in_the_same_way() {
    Mistake::make(Some(Mistake::UndoForgotten));
    runtime().expect("a runtime").block_on(async {
        let databases = Databases::new().await.expect("databases");
        let mut seed = 0;
        let (schedule, failed) = loop {
            let schedule = Schedule::of(seed);
            let came = run(&databases, &schedule).await.expect("it is played");
            if came.failure.is_some() {
                break (schedule, came);
            }
            seed += 1;
        };
        let shrunk = shrink(&databases, &schedule, failed.clone()).await.expect("it is played");
        let (small, told) = &shrunk;
        assert!(small.steps.len() <= 12, "{} steps are left", small.steps.len());
        assert_eq!(told.broken(), failed.broken());
        assert_eq!(run(&databases, small).await.expect("it is played"), *told);
        assert_eq!(shrink(&databases, &schedule, failed).await.expect("it is played"), shrunk);
    });
}
