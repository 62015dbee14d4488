//! A few of the thousands of seeds that the simulator plays.

use quintet_test::simulation::runtime;
use simulation::simulation;

/// The number of seeds.
const SEEDS: u64 = 200;

#[test]
fn two_hundred_seeds_hold_all_invariants() {
    assert_eq!(simulation().run(0..SEEDS).unwrap(), SEEDS);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let simulation = simulation();
    runtime().expect("a runtime").block_on(async {
        let used = simulation.databases().await.expect("databases");
        for seed in 0..20 {
            let schedule = simulation.schedule(seed);
            let run = simulation.play(&used, &schedule).await.expect("a run");
            assert!(run.story.len() > 1, "the story of seed {seed} is empty");
            // With fresh databases: a run must not depend on the runs before it.
            let fresh = simulation.databases().await.expect("databases");
            let again = simulation.play(&fresh, &schedule).await.expect("a run");
            assert_eq!(run, again, "seed {seed} has two stories");
        }
    });
}
