//! Plays the saga from seeds: `cargo run --example simulate -- --seeds 0..10000`. The option `--bug NAME` injects a bug.

use std::process::ExitCode;

use clap::Parser;
use quintet::anyhow::Result;
use quintet::clap;
use quintet_test::simulation::cli;

#[path = "../tests/saga/desk.rs"]
mod desk;
#[path = "../tests/saga/simulation.rs"]
mod simulation;
#[path = "../tests/saga/travellers.rs"]
mod travellers;

use simulation::{Bug, simulation};

/// Plays the trip saga from seeds, with faults at every step.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    options: cli::Options,
    /// Injects this bug, to show that it is found: `doubt_is_no` or `no_compensation`.
    #[arg(long, value_name = "NAME")]
    bug: Option<Bug>,
}

fn main() -> Result<ExitCode> {
    let Args { options, bug } = Args::parse();
    let option = bug.map(|bug| format!(" --bug {bug}")).unwrap_or_default();
    let command = format!("cargo run --example simulate --{option}");
    cli::play(&simulation(bug), &options, &|| {}, &command)
}
