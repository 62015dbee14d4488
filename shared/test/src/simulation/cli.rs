//! The command line of a simulation: plays seeds, or tells the story of one.
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

/// What is played, and how it is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Plays these seeds: the first, and the one after the last.
    #[arg(long, value_name = "A..B", default_value = "0..10000", value_parser = seeds)]
    pub seeds: Range<u64>,
    /// Plays this one seed and tells its story.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// Threads that play, as many as the machine has unless told.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Results as JSON.
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// How the seeds are searched.
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

/// Reads the program's arguments and does what they say. `command` is what a person types to run this program; the
/// output names it.
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

/// Does what the options say. `begin` is called on each thread before it plays.
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
    let teller = Teller { simulation, json: options.json, command };
    let failed = match options.seed {
        Some(seed) => teller.one(seed)?,
        None => teller.many(options, begin)?,
    };
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Teller<'a, P, W> {
    simulation: &'a Simulation<P, W>,
    json: bool,
    command: &'a str,
}

impl<P: Providers, W: Workload> Teller<'_, P, W> {
    /// Tells a seed's story; whether it fails.
    fn one(&self, seed: u64) -> Result<bool> {
        let schedule = self.simulation.schedule(seed);
        let run = runtime()?.block_on(async {
            let databases = self.simulation.databases().await?;
            self.simulation.play(&databases, &schedule).await
        })?;
        if run.failure.is_some() {
            self.tell_shortest(Found { schedule, run })?;
            return Ok(true);
        }
        if self.json {
            say(&json!({ "seed": seed, "failure": null, "story": lines(&run.story) }).to_string());
        } else {
            tell(&run.story);
            say(&format!("seed {seed}: all invariants hold"));
        }
        Ok(false)
    }

    /// Plays seeds until one fails; whether one did.
    fn many(&self, options: &Options, begin: &(dyn Fn() + Sync)) -> Result<bool> {
        let seeds = options.seeds.clone();
        let bar = bar("playing", seeds.end.saturating_sub(seeds.start));
        let started = Instant::now();
        let search = Search { begin, played: &|| bar.inc(1), ..options.search() };
        let found = self.simulation.search(seeds, &search)?;
        bar.finish_and_clear();
        let (played, seconds) = (bar.position(), started.elapsed().as_secs_f64());
        if let Some(found) = found {
            self.tell_shortest(found)?;
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

    /// Makes a failure small, and tells what is left of it.
    fn tell_shortest(&self, found: Found) -> Result<()> {
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
            tell(&found.run.story);
            say(&format!("\n{why}"));
        }
        Ok(())
    }
}

fn tell(story: &[Line]) {
    for line in story {
        say(&line.to_string());
    }
}

fn lines(story: &[Line]) -> Vec<String> {
    story.iter().map(ToString::to_string).collect()
}

/// Writes a line to standard output. An output that is closed is no reason to fail.
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
