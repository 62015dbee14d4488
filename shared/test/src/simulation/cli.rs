//! The command line of a simulation: it plays many seeds, or prints the story of one.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use quintet_test::simulation::{Providers, Simulation, Workload, cli};
//!
//! /// The `main` of a saga's simulation.
//! fn main_of<P: Providers, W: Workload>(simulation: &Simulation<P, W>) -> anyhow::Result<ExitCode> {
//!     cli::main(simulation, "cargo run -p trip-simulation --")
//! }
//! ```

use std::{
    io::{IsTerminal, Write},
    num::ParseIntError,
    ops::Range,
    process::ExitCode,
    time::Instant,
};

use anyhow::Result;
use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{Found, Line, Search, Simulation, providers::Providers, runtime, workload::Workload};

/// Plays a saga from seeds, with faults at every step, and checks its invariants.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// The options of a simulation.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Plays these seeds: the first, and the one after the last.
    #[arg(long, value_name = "A..B", default_value = "0..10000", value_parser = seeds)]
    pub seeds: Range<u64>,
    /// Plays this one seed and tells its story.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// Threads that play. The default is one for each CPU of the machine.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Results as JSON.
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// How the options say that seeds are searched.
    #[must_use]
    pub fn search(&self) -> Search<'static> {
        let search = Search::default();
        Search { threads: self.threads.unwrap_or(search.threads), ..search }
    }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("write it as 0..1000")?;
    let number = |text: &str| text.parse().map_err(|error: ParseIntError| error.to_string());
    Ok(number(from)?..number(to)?)
}

/// Parses the program's arguments and plays. `command` is the command line that runs this program; the output shows it to
/// the user.
///
/// # Errors
/// If the simulation cannot be played.
pub fn main<P: Providers, W: Workload>(
    simulation: &Simulation<P, W>,
    command: &str,
) -> Result<ExitCode> {
    let Arguments { options } = Arguments::parse();
    play(simulation, &options, &|| {}, command)
}

/// Plays as the options say. `begin` is called on each thread before it plays.
///
/// # Errors
/// If the simulation cannot be played.
pub fn play<P: Providers, W: Workload>(
    simulation: &Simulation<P, W>,
    options: &Options,
    begin: &(dyn Fn() + Sync),
    command: &str,
) -> Result<ExitCode> {
    begin();
    let player = Player { simulation, json: options.json, command };
    let failed = match options.seed {
        Some(seed) => player.one(seed)?,
        None => player.many(options, begin)?,
    };
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Plays seeds and prints the results.
struct Player<'a, P, W> {
    simulation: &'a Simulation<P, W>,
    json: bool,
    command: &'a str,
}

impl<P: Providers, W: Workload> Player<'_, P, W> {
    /// Plays a seed and prints its story. Returns whether it fails.
    fn one(&self, seed: u64) -> Result<bool> {
        let schedule = self.simulation.schedule(seed);
        let run = runtime()?.block_on(async {
            let databases = self.simulation.databases().await?;
            self.simulation.play(&databases, &schedule).await
        })?;
        if run.failure.is_some() {
            self.print_shortest(Found { schedule, run })?;
            return Ok(true);
        }
        if self.json {
            say(&json!({ "seed": seed, "failure": null, "story": lines(&run.story) }).to_string());
        } else {
            print(&run.story);
            say(&format!("seed {seed}: all invariants hold"));
        }
        Ok(false)
    }

    /// Plays seeds until one fails. Returns whether one did.
    fn many(&self, options: &Options, begin: &(dyn Fn() + Sync)) -> Result<bool> {
        let seeds = options.seeds.clone();
        let bar = bar("playing", seeds.end.saturating_sub(seeds.start));
        let started = Instant::now();
        let search = Search { begin, played: &|| bar.inc(1), ..options.search() };
        let found = self.simulation.search(seeds, &search)?;
        bar.finish_and_clear();
        let (played, seconds) = (bar.position(), started.elapsed().as_secs_f64());
        if let Some(found) = found {
            self.print_shortest(found)?;
            return Ok(true);
        }
        if self.json {
            say(&json!({ "seeds": played, "seconds": seconds, "failure": null }).to_string());
        } else {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = played as f64 / seconds;
            say(&format!(
                "{played} seeds in {seconds:.1} s, {rate:.0} a second: all invariants hold"
            ));
        }
        Ok(false)
    }

    /// Shrinks a failing schedule, and prints the story of what is left.
    fn print_shortest(&self, found: Found) -> Result<()> {
        let (seed, steps) = (found.schedule.seed, found.schedule.steps.len());
        let why = |found: &Found| found.run.failure.as_ref().map(ToString::to_string);
        if !self.json {
            say(&format!("seed {seed} fails: {}", why(&found).unwrap_or_default()));
            say(&format!("play it again: {} --seed {seed}", self.command));
            say("looking for the shortest story that fails so…");
        }
        let found = runtime()?.block_on(async {
            let databases = self.simulation.databases().await?;
            self.simulation.shrink(&databases, found).await
        })?;
        let why = why(&found).unwrap_or_default();
        if self.json {
            let story = lines(&found.run.story);
            say(&json!({ "seed": seed, "failure": why, "story": story }).to_string());
        } else {
            let left = found.schedule.steps.len();
            say(&format!("\n{left} of its {steps} steps are enough:\n"));
            print(&found.run.story);
            say(&format!("\n{why}"));
        }
        Ok(())
    }
}

fn print(story: &[Line]) {
    for line in story {
        say(&line.to_string());
    }
}

fn lines(story: &[Line]) -> Vec<String> {
    story.iter().map(ToString::to_string).collect()
}

/// Writes a line to standard output. It is no error if the reader of a pipe has gone.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A progress bar on standard error, if that is a terminal.
#[must_use]
pub(crate) fn bar(what: &str, total: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let template = "{msg} {wide_bar} {pos}/{len} {per_sec} {eta}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::with_draw_target(Some(total), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what.to_owned())
}
