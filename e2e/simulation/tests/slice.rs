//! A slice of what the simulator plays by the thousands.

use simulation::{Databases, Schedule, first_failure, run, runtime};

/// Seeds of the slice.
const SEEDS: u64 = 200;

#[test]
fn two_hundred_seeds_hold_all_invariants() {
    let found = first_failure(0..SEEDS, 2, || {}, || {}).expect("they are played");
    if let Some(found) = found {
        let story: Vec<String> = found.run.story.iter().map(ToString::to_string).collect();
        let (seed, why) = (found.schedule.seed, found.run.failure);
        panic!("seed {seed} fails: {why:?}\n{}", story.join("\n"));
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let played = async |seed| {
        // Databases of its own: nothing may hang on what was played before.
        let databases = Databases::new().await.expect("databases");
        run(&databases, &Schedule::of(seed)).await.expect("it is played")
    };
    let used = async |databases: &Databases, seed| {
        run(databases, &Schedule::of(seed)).await.expect("it is played")
    };
    runtime().expect("a runtime").block_on(async {
        let databases = Databases::new().await.expect("databases");
        for seed in 0..20 {
            let story = used(&databases, seed).await;
            assert!(story.story.len() > 1, "seed {seed} tells nothing");
            assert_eq!(story, played(seed).await, "seed {seed} tells two stories");
        }
    });
}
