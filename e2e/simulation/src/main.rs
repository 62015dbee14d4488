//! Plays seeds; tells the story of one, or the shortest story of the first that fails.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use quintet_test::simulation::cli;
use simulation::simulation;

/// Plays the whole suite from seeds, with faults at every step, and has the auditor judge.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    options: cli::Options,
    /// Makes each deliberate mistake, to show that it is found.
    #[cfg(feature = "mistakes")]
    #[arg(long, conflicts_with = "seed")]
    mistakes: bool,
    /// Makes this deliberate mistake.
    #[cfg(feature = "mistakes")]
    #[arg(long, value_name = "NAME", conflicts_with = "mistakes")]
    mistake: Option<engine::mistakes::Mistake>,
}

#[cfg(not(feature = "mistakes"))]
fn main() -> Result<ExitCode> {
    let Args { options } = Args::parse();
    cli::play(&simulation(), &options, &|| {}, "cargo run --release -p simulation --")
}

#[cfg(feature = "mistakes")]
fn main() -> Result<ExitCode> {
    use engine::mistakes::Mistake;

    let Args { options, mistakes, mistake } = Args::parse();
    if mistakes {
        return all_mistakes(&options);
    }
    let made = mistake.map(|mistake| format!(" --mistake {mistake:?}")).unwrap_or_default();
    let command = format!("cargo run --release -p simulation --features mistakes --{made}");
    cli::play(&simulation(), &options, &|| Mistake::make(mistake), &command)
}

/// Prints a table of all mistakes and how each was found; fails if one was not.
#[cfg(feature = "mistakes")]
fn all_mistakes(options: &cli::Options) -> Result<ExitCode> {
    use engine::mistakes::Mistake;
    use quintet_test::simulation::{Found, Search};

    cli::say(&format!("{:<18} {:>5} {:>6}  what comes of it", "mistake", "seed", "seeds"));
    let mut missed = false;
    for &mistake in Mistake::ALL {
        let begin = || Mistake::make(Some(mistake));
        let search = Search { begin: &begin, ..options.search() };
        let found = simulation().search(options.seeds.clone(), &search)?;
        let name = format!("{mistake:?}");
        let Some(Found { schedule, run }) = found else {
            cli::say(&format!("{name:<18}              NOT FOUND: {}", mistake.what()));
            missed = true;
            continue;
        };
        let why = run.failure.map(|failure| failure.to_string()).unwrap_or_default();
        let (seed, tried) = (schedule.seed, schedule.seed - options.seeds.start + 1);
        cli::say(&format!("{name:<18} {seed:>5} {tried:>6}  {why}"));
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
