//! Plays the crash matrix, and writes it down.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use crash_matrix::{Cell, Verdict, Verdicts, matrix, run, table::with_section};
use scenarios::Backend;

/// Has every service die at every point of every reaction, and compares what became of the orders.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// What the suite stands on.
    #[arg(long, value_enum)]
    backend: Kind,
    /// The PostgreSQL server, a user of which may create databases.
    #[arg(
        long,
        value_name = "URL",
        env = "QUINTET_TEST_POSTGRES",
        required_if_eq("backend", "postgres")
    )]
    postgres: Option<String>,
    /// The Kafka broker.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "QUINTET_TEST_KAFKA",
        required_if_eq("backend", "postgres")
    )]
    brokers: Option<String>,
    /// Write the matrix to e2e/crash-matrix/MATRIX.md.
    #[arg(long)]
    write: bool,
    /// Only the cells whose names contain this, such as `payment-charge`.
    #[arg(long, value_name = "TEXT", conflicts_with = "write")]
    only: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// SQLite and the log.
    Sqlite,
    /// PostgreSQL and Kafka.
    Postgres,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite and the log",
            Self::Postgres => "PostgreSQL and Kafka",
        }
    }
}

fn main() -> Result<ExitCode> {
    let Args { backend, postgres, brokers, write, only } = Args::parse();
    let mut cells = matrix();
    cells.retain(|cell| only.as_ref().is_none_or(|only| cell.name().contains(only)));
    let on = match (backend, postgres, brokers) {
        (Kind::Postgres, Some(postgres), Some(brokers)) => Backend::Servers { postgres, brokers },
        _ => Backend::Files,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let verdicts = runtime.block_on(run(&on, &cells))?;
    if write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("MATRIX.md");
        write_down(&path, backend, &cells, &verdicts)?;
    }
    Ok(report(&cells, &verdicts))
}

fn write_down(path: &PathBuf, backend: Kind, cells: &[Cell], verdicts: &Verdicts) -> Result<()> {
    let old = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.context("MATRIX.md")?,
    };
    fs::write(path, with_section(&old, backend.name(), cells, verdicts)).context("MATRIX.md")
}

fn report(cells: &[Cell], verdicts: &Verdicts) -> ExitCode {
    let of = |so: fn(&Verdict) -> bool| verdicts.values().filter(|verdict| so(verdict)).count();
    let (once, never) = (of(|it| *it == Verdict::Once), of(|it| matches!(it, Verdict::Never(_))));
    println!("{} cells: {once} once, {never} not reachable", verdicts.len());
    let mut right = true;
    for name in cells.iter().map(Cell::name).filter(|name| !verdicts[name].is_right()) {
        println!("{name}: {}", verdicts[&name]);
        right = false;
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
