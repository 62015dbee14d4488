//! What the simulator is worth: every injected bug is found, and told in few words.

use engine::injected_bugs::InjectedBug;
use quintet_test::simulation::{Search, runtime};
use saga::{injected_bug, injected_bugs};
use simulation::simulation;

/// Seeds within which each must be found.
const SEEDS: u64 = 600;

#[test]
fn every_injected_bug_is_found() {
    let simulation = simulation();
    let missed = injected_bugs().filter(|bug| {
        let begin = || InjectedBug::inject(Some(*bug));
        let search = Search { threads: 2, begin: &begin, ..Search::default() };
        simulation.search(0..SEEDS, &search).expect("they are played").is_none()
    });
    assert_eq!(missed.collect::<Vec<_>>(), [], "not found in {SEEDS} seeds");
}

#[test]
fn a_failure_is_made_small_and_fails_in_the_same_way() {
    let bug = injected_bug("UndoForgotten").expect("a bug");
    let begin = || InjectedBug::inject(Some(bug));
    begin();
    let simulation = simulation();
    let search = Search { begin: &begin, ..Search::default() };
    let found = simulation.search(0..SEEDS, &search).expect("they are played");
    let found = found.expect("the bug is found");
    runtime().expect("a runtime").block_on(async {
        let databases = simulation.databases().await.expect("databases");
        let shrunk = simulation.shrink(&databases, found.clone()).await.expect("it is played");
        let (small, told) = (&shrunk.schedule, &shrunk.run);
        assert!(small.steps.len() <= 12, "{} steps are left", small.steps.len());
        assert_eq!(told.broken(), found.run.broken());
        assert_eq!(simulation.play(&databases, small).await.expect("it is played"), *told);
        let again = simulation.shrink(&databases, found).await.expect("it is played");
        assert_eq!(again, shrunk);
    });
}
