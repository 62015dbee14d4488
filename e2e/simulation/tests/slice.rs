//! A slice of what the simulator plays by the thousands.

use quintet_test::simulation::runtime;
use simulation::simulation;

/// Seeds of the slice.
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
            let run = simulation.play(&used, &schedule).await.expect("it is played");
            assert!(run.story.len() > 1, "seed {seed} tells nothing");
            // Databases of its own: nothing may depend on what was played before.
            let fresh = simulation.databases().await.expect("databases");
            let again = simulation.play(&fresh, &schedule).await.expect("it is played");
            assert_eq!(run, again, "seed {seed} tells two stories");
        }
    });
}
