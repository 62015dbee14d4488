//! `quintet new`: writes a working saga of two services, from which a team starts its own.

mod library;
mod name;
mod template;

use anyhow::{Context, Result, bail};
use clap::Args;
use library::Library;
use name::Name;
use quintet_suite::{Session, ui};
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The saga's name, which becomes the name of its package, its program and its topics' namespace
    #[arg(value_name = "NAME")]
    name: Name,
    /// The folder to write: a new one, or an empty one [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// The checkout to take the library from [default: the one that this command was built in, else
    /// the package registry]
    #[arg(long, value_name = "DIR")]
    quintet: Option<PathBuf>,
}

impl New {
    pub(crate) fn run(self, session: &Session) -> Result<ExitCode> {
        let library = Library::find(self.quintet.as_deref())?;
        let path = self.path.unwrap_or_else(|| self.name.as_str().into());
        check_is_free(&path)?;
        let mut files = template::files(&self.name, &library)?;
        files.extend(library.lock()?);
        for (file, text) in &files {
            write(&path.join(file), text)?;
        }
        ui::result(&if session.json {
            let files: Vec<&String> = files.keys().collect();
            json!({"path": path, "quintet": library.path(), "files": files}).to_string()
        } else {
            summary(&path, &library, files.len())
        });
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes sure that no file is overwritten: the folder must be empty or absent.
fn check_is_free(path: &Path) -> Result<()> {
    match path.read_dir().map(|mut entries| entries.next().is_some()) {
        Ok(false) => Ok(()),
        Ok(true) => bail!("{} is not empty: give another folder by --path", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            bail!("{} is not a folder: give another one by --path", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = written.and_then(|()| fs::write(path, text));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn summary(path: &Path, library: &Library, files: usize) -> String {
    format!(
        "wrote {files} files to {folder}, which take the library from {library}\n\n\
         Next:\n  cd {quoted}\n  cargo run      # starts both services; README.md says what to try\n  \
         cargo test     # reactions, the contract, and 300 simulated stories\n\n\
         The first build takes some minutes.",
        folder = path.display(),
        quoted = quintet_suite::invocation::quoted(path),
    )
}
