//! Running from a checkout: then cargo builds the siblings first.

use crate::program::Program;
use crate::ui::Ui;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// A workspace of ours, and the profile that `quintet` was built with.
#[derive(Debug, PartialEq)]
pub(crate) struct Checkout {
    root: PathBuf,
    profile: String,
}

impl Checkout {
    /// The checkout in whose `target/<profile>/` the executable lies.
    pub(crate) fn of(executable: &Path) -> Option<Self> {
        let folder = executable.parent()?;
        let target = folder.parent()?;
        let root = target.parent()?;
        if target.file_name() != Some(OsStr::new("target")) {
            return None;
        }
        let manifest = fs::read_to_string(root.join("Cargo.toml")).ok()?;
        if !(manifest.contains("[workspace]") && manifest.contains("\"services/")) {
            return None;
        }
        let profile = match folder.file_name()?.to_str()? {
            "debug" => "dev",
            other => other,
        };
        Some(Self { root: root.to_owned(), profile: profile.to_owned() })
    }

    /// Has cargo build the six programs.
    ///
    /// # Errors
    /// When the build fails, with what cargo said.
    pub(crate) async fn build(&self, ui: &Ui) -> Result<()> {
        let progress = ui.spinner("building the services with cargo");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--profile", &self.profile]).current_dir(&self.root);
        for program in Program::ALL {
            command.args(["--package", program.name()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // A Ctrl-C that ends us ends the build as well.
        let mut cargo = command.kill_on_drop(true).spawn().context("cannot run cargo")?;
        let mut said = Vec::new();
        if let Some(stderr) = cargo.stderr.take() {
            let mut lines = BufReader::new(stderr).lines();
            while let Some(line) = lines.next_line().await.context("cannot read what cargo says")? {
                progress.now(&format!("building: {}", line.trim()));
                said.push(line);
            }
        }
        let status = cargo.wait().await.context("cargo got lost")?;
        drop(progress);
        if !status.success() {
            for line in &said {
                ui.line(line);
            }
            bail!(
                "cargo could not build the services (see above); `up --no-build` skips the build"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(manifest: &str) -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("Cargo.toml"), manifest).unwrap();
        temp
    }

    const OURS: &str = "[workspace]\nmembers = [\"services/*\"]";

    #[test]
    fn an_executable_below_target_of_our_workspace_is_in_a_checkout() {
        let temp = workspace(OURS);
        let at = |path: &str| Checkout::of(&temp.path().join(path));
        let found = |profile: &str| {
            Some(Checkout { root: temp.path().to_owned(), profile: profile.to_owned() })
        };
        assert_eq!(at("target/debug/quintet"), found("dev"));
        assert_eq!(at("target/release/quintet"), found("release"));
        assert_eq!(at("target/profiling/quintet"), found("profiling"));
    }

    #[test]
    fn an_installed_executable_and_a_strange_workspace_are_none() {
        let ours = workspace(OURS);
        assert_eq!(Checkout::of(&ours.path().join("bin/debug/quintet")), None);
        assert_eq!(Checkout::of(&ours.path().join("target/debug/deps/quintet")), None);
        let other = workspace("[workspace]\nmembers = [\"crates/*\"]");
        assert_eq!(Checkout::of(&other.path().join("target/debug/quintet")), None);
        assert_eq!(Checkout::of(Path::new("/quintet")), None);
    }
}
