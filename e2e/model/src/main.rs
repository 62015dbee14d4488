//! Plays all scenarios, or those whose names contain the first argument, and prints the outcome of each property.
//! The exit code is 1 if one is broken.

use std::{env, process::ExitCode, thread};

use model::{Reactions, Scenario, search};

fn main() -> ExitCode {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let wanted = env::args().nth(1).unwrap_or_default();
    println!("{:<24}{:>12}{:>12}{:>7}{:>9}", "scenario", "states", "unique", "depth", "seconds");
    let mut holds = true;
    for scenario in Scenario::ALL.iter().filter(|scenario| scenario.name.contains(&wanted)) {
        let found = search(scenario, &Reactions::default(), threads);
        println!("{found}");
        holds &= found.holds();
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
