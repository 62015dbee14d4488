//! Writes the pages of `docs/reference` from what the code says of itself: the services' OpenAPI documents, settings and
//! metrics, the command line, the contract, and the registries of problems and exit codes. With `--check` it compares.

#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "pages are small, and `write!` into a string would leave a result to ignore"
)]

mod command_line;
mod configuration;
mod errors;
mod events;
mod http;
mod markdown;
mod metrics;
mod pages;
mod schema;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Parser;

use pages::Page;

/// Where the pages are, from the root of the repository.
const FOLDER: &str = "docs/reference";

/// Writes docs/reference from the code.
#[derive(Debug, Parser)]
struct Arguments {
    /// Write nothing; fail and name each page that is out of date.
    #[arg(long)]
    check: bool,
    /// The folder of the pages.
    #[arg(long, value_name = "DIR", default_value_os_t = folder())]
    folder: PathBuf,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(FOLDER)
}

fn main() -> ExitCode {
    let Arguments { check, folder } = Arguments::parse();
    match run(check, &folder) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("reference: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the pages are as the code has them.
fn run(check: bool, folder: &std::path::Path) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pages = runtime.block_on(pages::all())?;
    if check {
        let stale: Vec<&Page> = pages.iter().filter(|page| !is_current(page, folder)).collect();
        for page in &stale {
            eprintln!(
                "{FOLDER}/{}: is not what the code says; `cargo run -p reference` writes it anew",
                page.name
            );
        }
        return Ok(stale.is_empty());
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for page in pages {
        let file = folder.join(page.name);
        fs::write(&file, page.text).with_context(|| file.display().to_string())?;
    }
    Ok(true)
}

fn is_current(page: &Page, folder: &std::path::Path) -> bool {
    fs::read_to_string(folder.join(page.name)).is_ok_and(|text| text == page.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_was_changed_or_is_missing_is_out_of_date() {
        let folder = tempfile::tempdir().unwrap();
        assert!(run(false, folder.path()).unwrap());
        assert!(run(true, folder.path()).unwrap());
        for name in ["http.md", "asyncapi.json"] {
            let file = folder.path().join(name);
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, format!("{text} ")).unwrap();
            assert!(!run(true, folder.path()).unwrap(), "{name}");
            fs::write(&file, text).unwrap();
        }
        fs::remove_file(folder.path().join("metrics.md")).unwrap();
        assert!(!run(true, folder.path()).unwrap());
    }

    #[test]
    fn the_pages_of_this_repository_are_what_the_code_says() {
        assert!(run(true, &folder()).unwrap(), "`cargo run -p reference` writes them anew");
    }
}
