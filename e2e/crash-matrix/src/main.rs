//! Runs the crash matrix, prints the cells that fail, and writes MATRIX.md if asked to.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use crash_matrix::{Cell, CellOutcome, Outcomes, matrix, run, table::with_section};
use scenarios::Backend;

/// Lets every service die at every point of every reaction, and checks that the orders end as without the death.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The bus and databases of the suite.
    #[arg(long, value_enum)]
    backend: BackendName,
    /// The PostgreSQL server, with a user that may create databases.
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
    /// Run only the cells whose names contain this, such as `payment-charge`.
    #[arg(long, value_name = "TEXT", conflicts_with = "write")]
    only: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BackendName {
    /// SQLite and the log.
    Sqlite,
    /// PostgreSQL and Kafka.
    Postgres,
}

impl BackendName {
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
    let suite_backend = match (backend, postgres, brokers) {
        (BackendName::Postgres, Some(postgres), Some(brokers)) => {
            Backend::Servers { postgres, brokers }
        }
        _ => Backend::Files,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcomes = runtime.block_on(run(&suite_backend, &cells))?;
    if write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("MATRIX.md");
        write_matrix(&path, backend, &cells, &outcomes)?;
    }
    Ok(report(&cells, &outcomes))
}

fn write_matrix(
    path: &PathBuf,
    backend: BackendName,
    cells: &[Cell],
    outcomes: &Outcomes,
) -> Result<()> {
    let old = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.context("MATRIX.md")?,
    };
    fs::write(path, with_section(&old, backend.name(), cells, outcomes)).context("MATRIX.md")
}

fn report(cells: &[Cell], outcomes: &Outcomes) -> ExitCode {
    let once = outcomes.values().filter(|outcome| **outcome == CellOutcome::Once).count();
    let never =
        outcomes.values().filter(|outcome| matches!(outcome, CellOutcome::Never(_))).count();
    println!("{} cells: {once} once, {never} not reachable", outcomes.len());
    let mut all_right = true;
    for name in cells.iter().map(Cell::name).filter(|name| !outcomes[name].is_right()) {
        println!("{name}: {}", outcomes[&name]);
        all_right = false;
    }
    if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
