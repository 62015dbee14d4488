//! Running from a checkout: then cargo builds the siblings first.

use crate::environment;

use crate::ui::Ui;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
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

    /// The checkout from which this program runs.
    pub(crate) fn of_this_program() -> Option<&'static Self> {
        static FOUND: LazyLock<Option<Checkout>> =
            LazyLock::new(|| Checkout::of(&std::env::current_exe().ok()?));
        FOUND.as_ref()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Has cargo build the programs: those of the workspace's default members, as `cargo run` does. Other packages would
    /// have dependencies with other features, which would all be built once more.
    ///
    /// # Errors
    /// When the build fails, with what cargo said.
    pub(crate) async fn build(&self, ui: &Ui) -> Result<()> {
        let progress = ui.spinner("building the services with cargo");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--bins", "--profile", &self.profile]).current_dir(&self.root);
        // Cargo counts what it builds only where it takes its output for a terminal's.
        command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "100");
        command.env("CARGO_TERM_COLOR", "never");
        for name in environment::of_others(None) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // A Ctrl-C that ends us ends the build as well.
        let mut cargo = command.kill_on_drop(true).spawn().context("cannot run cargo")?;
        let mut said = Vec::new();
        if let Some(stderr) = cargo.stderr.take() {
            let mut pieces = BufReader::new(stderr).split(b'\r');
            while let Some(piece) =
                pieces.next_segment().await.context("cannot read what cargo says")?
            {
                for line in String::from_utf8_lossy(&piece).lines() {
                    match counted(line) {
                        Some(count) => progress.now(&format!("building the services: {count}")),
                        None => said.push(line.trim_end().to_owned()),
                    }
                }
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

/// What a line of cargo's progress bar counts: `112/468: tokio, libz-sys(build)`.
fn counted(line: &str) -> Option<&str> {
    let (_, count) = line.trim_start().strip_prefix("Building [")?.split_once("] ")?;
    Some(count.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Program;

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

    #[test]
    fn the_build_counts() {
        let bar =
            "    Building [=====>                    ] 112/468: tokio, libz-sys(build)        ";
        assert_eq!(counted(bar), Some("112/468: tokio, libz-sys(build)"));
        assert_eq!(counted("   Compiling tokio v1.54.0"), None);
    }

    #[test]
    fn what_cargo_run_and_the_launcher_build_is_one_set_of_packages() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
        let said = cargo.current_dir(&root).output().unwrap();
        let found: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        let members = found["workspace_default_members"].as_array().unwrap();
        let is_member = |name: &str| {
            members.iter().any(|id| id.as_str().unwrap().contains(&format!("/{name}#")))
        };
        for program in Program::ALL {
            assert!(is_member(program.name()), "{program} is no default member: {members:?}");
        }
        assert!(is_member("quintet"), "{members:?}");
    }
}
