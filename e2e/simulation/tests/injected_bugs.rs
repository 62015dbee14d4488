//! The simulator finds every injected bug and reduces the failure to a short story.

use engine::injected_bugs::InjectedBug;
use quintet_test::simulation::{Search, runtime};
use saga::{injected_bug, injected_bugs};
use simulation::simulation;

/// The number of seeds within which each bug must be found.
const SEEDS: u64 = 600;

#[test]
fn every_injected_bug_is_found() {
    let simulation = simulation();
    let missed = injected_bugs().filter(|bug| {
        let begin = || InjectedBug::inject(Some(*bug));
        let search = Search { threads: 2, begin: &begin, ..Search::default() };
        simulation.search(0..SEEDS, &search).expect("runs").is_none()
    });
    assert_eq!(missed.collect::<Vec<_>>(), [], "not found in {SEEDS} seeds");
}

#[test]
fn a_failure_is_reduced_and_still_fails_in_the_same_way() {
    let bug = injected_bug("UndoForgotten").expect("a bug");
    let begin = || InjectedBug::inject(Some(bug));
    begin();
    let simulation = simulation();
    let search = Search { begin: &begin, ..Search::default() };
    let found = simulation.search(0..SEEDS, &search).expect("runs");
    let found = found.expect("the bug is found");
    runtime().expect("a runtime").block_on(async {
        let databases = simulation.databases().await.expect("databases");
        let shrunk = simulation.shrink(&databases, found.clone()).await.expect("a run");
        let (small, run) = (&shrunk.schedule, &shrunk.run);
        assert!(small.steps.len() <= 12, "{} steps are left", small.steps.len());
        assert_eq!(run.broken(), found.run.broken());
        assert_eq!(simulation.play(&databases, small).await.expect("a run"), *run);
        let again = simulation.shrink(&databases, found).await.expect("a run");
        assert_eq!(again, shrunk);
    });
}
