//! Plays seeds; tells the story of one, or the shortest story of the first that fails.

use std::{
    io::{IsTerminal, Write},
    num::ParseIntError,
    ops::Range,
    process::ExitCode,
    thread::available_parallelism,
    time::Instant,
};

use anyhow::{Context, Result};
use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use simulation::{Databases, Found, Line, Schedule, first_failure, run, runtime, shrink};

/// Plays the whole suite from seeds, with faults at every step, and has the auditor judge.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Plays these seeds: the first, and the one after the last.
    #[arg(long, value_name = "A..B", default_value = "0..10000", value_parser = seeds)]
    seeds: Range<u64>,
    /// Plays this one seed and tells its story.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Threads that play, as many as the machine has unless told.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Results as JSON.
    #[arg(long)]
    json: bool,
    /// Makes each deliberate mistake, to show that it is found.
    #[cfg(feature = "mistakes")]
    #[arg(long, conflicts_with = "seed")]
    mistakes: bool,
    /// Makes this deliberate mistake.
    #[cfg(feature = "mistakes")]
    #[arg(long, value_name = "NAME", conflicts_with = "mistakes")]
    mistake: Option<engine::mistakes::Mistake>,
}

impl Args {
    /// The command that plays this seed again.
    #[cfg_attr(
        not(feature = "mistakes"),
        expect(clippy::unused_self, reason = "there is no mistake to be made")
    )]
    fn again(&self, seed: u64) -> String {
        #[cfg(feature = "mistakes")]
        if let Some(mistake) = self.mistake {
            return format!(
                "cargo run --release -p simulation --features mistakes -- \
                 --mistake {mistake:?} --seed {seed}"
            );
        }
        format!("cargo run --release -p simulation -- --seed {seed}")
    }

    /// What each thread needs before it plays.
    #[cfg_attr(
        not(feature = "mistakes"),
        expect(clippy::unused_self, reason = "there is no mistake to be made")
    )]
    fn begin(&self) {
        #[cfg(feature = "mistakes")]
        engine::mistakes::Mistake::make(self.mistake);
    }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("write it as 0..1000")?;
    let number = |text: &str| text.parse().map_err(|error: ParseIntError| error.to_string());
    Ok(number(from)?..number(to)?)
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    #[cfg(feature = "mistakes")]
    if args.mistakes {
        return mistakes(&args);
    }
    args.begin();
    let failed = match args.seed {
        Some(seed) => one(seed, &args)?,
        None => many(&args)?,
    };
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tells a seed's story; whether it fails.
fn one(seed: u64, args: &Args) -> Result<bool> {
    let schedule = Schedule::of(seed);
    let run = runtime()?.block_on(async { run(&Databases::new().await?, &schedule).await })?;
    if run.failure.is_some() {
        tell_shortest(Found { schedule, run }, args)?;
        return Ok(true);
    }
    if args.json {
        say(&json!({ "seed": seed, "failure": null, "story": lines(&run.story) }).to_string());
    } else {
        tell(&run.story);
        say(&format!("seed {seed}: all invariants hold"));
    }
    Ok(false)
}

/// Plays seeds until one fails; whether one did.
fn many(args: &Args) -> Result<bool> {
    let count = args.seeds.end.saturating_sub(args.seeds.start);
    let bar = bar("playing", count);
    let begin = Instant::now();
    let found = first_failure(args.seeds.clone(), threads(args)?, || args.begin(), || bar.inc(1))?;
    bar.finish_and_clear();
    let (played, seconds) = (bar.position(), begin.elapsed().as_secs_f64());
    if let Some(found) = found {
        tell_shortest(found, args)?;
        return Ok(true);
    }
    if args.json {
        say(&json!({ "seeds": played, "seconds": seconds, "failure": null }).to_string());
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = played as f64 / seconds;
        say(&format!("{played} seeds in {seconds:.1} s, {rate:.0} a second: all invariants hold"));
    }
    Ok(false)
}

/// Makes a failure small, and tells what is left of it.
fn tell_shortest(Found { schedule, run }: Found, args: &Args) -> Result<()> {
    let (seed, steps) = (schedule.seed, schedule.steps.len());
    let why = run.failure.clone().unwrap_or_default();
    if !args.json {
        say(&format!("seed {seed} fails: {why}"));
        say(&format!("play it again: {}", args.again(seed)));
        say("looking for the shortest story that fails so…");
    }
    let shortest = async { shrink(&Databases::new().await?, &schedule, run).await };
    let (shortest, run) = runtime()?.block_on(shortest)?;
    let why = run.failure.unwrap_or(why);
    if args.json {
        let story = lines(&run.story);
        say(&json!({ "seed": seed, "failure": why, "story": story }).to_string());
    } else {
        let left = shortest.steps.len();
        say(&format!("\n{left} of its {steps} steps are enough:\n"));
        tell(&run.story);
        say(&format!("\n{why}"));
    }
    Ok(())
}

fn threads(args: &Args) -> Result<usize> {
    let all = || available_parallelism().map(usize::from).context("counting the processors");
    args.threads.map_or_else(all, Ok)
}

fn tell(story: &[Line]) {
    for line in story {
        say(&line.to_string());
    }
}

fn lines(story: &[Line]) -> Vec<String> {
    story.iter().map(ToString::to_string).collect()
}

/// Nobody listening is no reason to fail.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn bar(what: &str, total: u64) -> ProgressBar {
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

/// A table of all mistakes and how each was found; fails if one was not.
#[cfg(feature = "mistakes")]
fn mistakes(args: &Args) -> Result<ExitCode> {
    use engine::mistakes::Mistake;

    say(&format!("{:<18} {:>5} {:>6}  what comes of it", "mistake", "seed", "seeds"));
    let mut missed = false;
    for &mistake in Mistake::ALL {
        let bar = bar(mistake.what(), args.seeds.end.saturating_sub(args.seeds.start));
        let begin = || Mistake::make(Some(mistake));
        let found = first_failure(args.seeds.clone(), threads(args)?, begin, || bar.inc(1))?;
        bar.finish_and_clear();
        let name = format!("{mistake:?}");
        let Some(Found { schedule, run }) = found else {
            say(&format!("{name:<18}              NOT FOUND: {}", mistake.what()));
            missed = true;
            continue;
        };
        let (seed, why) = (schedule.seed, run.failure.unwrap_or_default());
        let tried = seed - args.seeds.start + 1;
        say(&format!("{name:<18} {seed:>5} {tried:>6}  {why}"));
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
