//! Plays seeds. Prints the story of a given seed, or the shortest story of the first seed that fails.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use quintet_test::simulation::cli;
use simulation::simulation;

/// Plays the whole suite from seeds, with faults at every step, and audits each run.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    options: cli::Options,
    /// Inject each bug in turn and show that it is found.
    #[cfg(feature = "injected-bugs")]
    #[arg(long, conflicts_with = "seed")]
    bugs: bool,
    /// Inject this bug.
    #[cfg(feature = "injected-bugs")]
    #[arg(long, value_name = "NAME", conflicts_with = "bugs", value_parser = saga::injected_bug)]
    bug: Option<engine::injected_bugs::InjectedBug>,
}

#[cfg(not(feature = "injected-bugs"))]
fn main() -> Result<ExitCode> {
    let Args { options } = Args::parse();
    cli::play(&simulation(), &options, &|| {}, "cargo run --release -p simulation --")
}

#[cfg(feature = "injected-bugs")]
fn main() -> Result<ExitCode> {
    use engine::injected_bugs::InjectedBug;

    let Args { options, bugs, bug } = Args::parse();
    if bugs {
        return all_bugs(&options);
    }
    let injected = bug.map(|bug| format!(" --bug {}", bug.name)).unwrap_or_default();
    let command =
        format!("cargo run --release -p simulation --features injected-bugs --{injected}");
    cli::play(&simulation(), &options, &|| InjectedBug::inject(bug), &command)
}

/// Prints a table of all injected bugs and how each was found. Fails if one was not found.
#[cfg(feature = "injected-bugs")]
fn all_bugs(options: &cli::Options) -> Result<ExitCode> {
    use engine::injected_bugs::InjectedBug;
    use quintet_test::simulation::{Found, Search};

    cli::say(&format!("{:<18} {:>5} {:>6}  failure", "bug", "seed", "seeds"));
    let mut missed = false;
    for bug in saga::injected_bugs() {
        let begin = || InjectedBug::inject(Some(bug));
        let search = Search { begin: &begin, ..options.search() };
        let found = simulation().search(options.seeds.clone(), &search)?;
        let name = bug.name;
        let Some(Found { schedule, run }) = found else {
            cli::say(&format!("{name:<18}              NOT FOUND: {}", bug.what));
            missed = true;
            continue;
        };
        let why = run.failure.map(|failure| failure.to_string()).unwrap_or_default();
        let (seed, tried) = (schedule.seed, schedule.seed - options.seeds.start + 1);
        cli::say(&format!("{name:<18} {seed:>5} {tried:>6}  {why}"));
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
