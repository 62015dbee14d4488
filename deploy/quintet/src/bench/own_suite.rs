//! Starts a suite without data for a benchmark: `quintet up` as a child process.
//!
//! The child watches its standard input and ends when it closes, so the suite ends with the bench even if the bench is
//! killed.

use anyhow::{Context, Result, bail};
use quintet_suite::DataDir;
use quintet_suite::Manifest;
use quintet_suite::Session;
use quintet_suite::Suite;
use quintet_suite::backend::kafka::Cluster;
use quintet_suite::backend::postgres::Server;
use quintet_suite::ui::Ui;
use std::fs;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Where a suite for a benchmark keeps its data, and which servers it uses.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) session: Session,
    pub(super) dir: DataDir,
    pub(super) port: u16,
    pub(super) brokers: Option<String>,
    pub(super) postgres: Option<String>,
    pub(super) namespace: String,
}

/// A key of the services' configuration whose value differs from the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Override {
    pub(super) key: String,
    pub(super) value: String,
}

/// A running suite that ends with this process.
#[derive(Debug)]
pub(super) struct OwnSuite {
    pub(super) suite: Suite,
    child: Child,
    /// The child's standard input. Closing it ends the suite.
    leash: Option<ChildStdin>,
    /// Kept open: the child would fail when it writes into a closed pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Setup {
    /// The folder `bench` in the data directory, so that data of the user's own suite is not touched.
    ///
    /// # Errors
    /// When the directory is not usable.
    pub(super) fn dir(session: &Session) -> Result<DataDir> {
        session.dir()?.beside("bench")
    }

    /// Deletes the suite's data in the directory and on the servers, and the directory if it holds nothing else.
    ///
    /// # Errors
    /// When data cannot be deleted.
    pub(super) async fn clear(&self, ui: &Ui) -> Result<()> {
        if let Some(server) = &self.postgres {
            Server::at(server, self.session.manifest, &self.namespace)?.clear(ui).await?;
        }
        if let Some(brokers) = &self.brokers {
            Cluster::at(brokers, &self.session, &self.namespace)?.prepare(true, ui).await?;
        }
        self.dir.wipe(self.session.manifest)?;
        // These two fail if the user keeps files of their own there. Those files stay.
        let _ = fs::remove_file(self.dir.path().join("up.lock"));
        let _ = fs::remove_dir(self.dir.path().join("logs"));
        let _ = fs::remove_dir(self.dir.path());
        Ok(())
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = ["up", "--fresh", "--json", "--quiet"].map(str::to_owned).to_vec();
        let mut add = |name: &str, value: &str| {
            arguments.extend([name.to_owned(), value.to_owned()]);
        };
        add("--data", &self.dir.shown().display().to_string());
        add("--port", &self.port.to_string());
        for (name, value) in [("--brokers", &self.brokers), ("--postgres", &self.postgres)] {
            if let Some(value) = value {
                add(name, value);
            }
        }
        if self.brokers.is_some() || self.postgres.is_some() {
            add("--namespace", &self.namespace);
        }
        arguments
    }
}

impl OwnSuite {
    /// Starts the suite and waits until it is ready.
    ///
    /// # Errors
    /// When the suite does not get ready. The child has printed the reason.
    pub(super) async fn start(setup: &Setup, overrides: &[Override]) -> Result<Self> {
        let executable =
            std::env::current_exe().context("cannot find the executable of `quintet`")?;
        let mut child = Command::new(executable)
            .args(setup.arguments())
            .env("QUINTET_LEASH", "stdin")
            .envs(variables(setup.session.manifest, overrides))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own keeps the terminal's Ctrl-C from the child: the bench stops it by the leash.
            .process_group(0)
            .spawn()
            .context("cannot start `quintet up`")?;
        let leash = child.stdin.take();
        let stdout = child.stdout.take().context("`quintet up` has no output")?;
        let (mut stdout, mut up_json) = (BufReader::new(stdout), String::new());
        stdout.read_line(&mut up_json).await.context("cannot read the output of `quintet up`")?;
        if up_json.is_empty() {
            bail!("the suite to measure did not get ready: the lines above say why");
        }
        let suite = serde_json::from_str(&up_json)
            .context("`quintet up` printed JSON of another version of quintet")?;
        Ok(Self { suite, child, leash, _stdout: stdout })
    }

    /// Stops the suite.
    ///
    /// # Errors
    /// When `quintet up` fails.
    pub(super) async fn stop(mut self) -> Result<()> {
        drop(self.leash.take());
        let status = self.child.wait().await.context("cannot wait for `quintet up` to end")?;
        if !status.success() {
            bail!("the measured suite did not stop cleanly: the lines above say why");
        }
        Ok(())
    }
}

/// Environment variables that set the overrides for every service.
fn variables(manifest: &Manifest, overrides: &[Override]) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for Override { key, value } in overrides {
        let key = key.to_uppercase().replace('.', "__");
        variables.extend(
            manifest.services().map(|it| (it.variable(&manifest.name, &key), value.clone())),
        );
    }
    variables
}

impl std::str::FromStr for Override {
    type Err = String;

    /// Reads `batch=1` and `engine.batch=1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |key: &str| {
            !key.is_empty() && key.bytes().all(|it| it.is_ascii_lowercase() || b"._".contains(&it))
        };
        match text.split_once('=') {
            Some((key, value)) if fits(key) && !value.is_empty() => {
                let key = if key.contains('.') { key.to_owned() } else { format!("engine.{key}") };
                Ok(Self { key, value: value.to_owned() })
            }
            _ => Err("write KEY=VALUE with a key of [engine], such as batch=1".to_owned()),
        }
    }
}

impl std::fmt::Display for Override {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_holds_for_every_service() {
        let overrides: Vec<Override> =
            ["batch=1", "outbox.limit=7"].map(|text| text.parse().unwrap()).into();
        assert_eq!(overrides[0].to_string(), "engine.batch=1");
        let text = testkit::only_services(include_str!("../../../../suite.toml"), &audit::SERVICES);
        let manifest = Manifest::built_in(&text).unwrap();
        let variables = variables(&manifest, &overrides);
        assert_eq!(variables.len(), 10);
        let has =
            |name: &str, value: &str| variables.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("QUINTET_PAYMENT__ENGINE__BATCH", "1"), "{variables:?}");
        assert!(has("QUINTET_ORDER__OUTBOX__LIMIT", "7"), "{variables:?}");
        for bad in ["", "batch", "batch=", "=1", "BATCH=1", "a b=1"] {
            assert!(bad.parse::<Override>().is_err(), "{bad}");
        }
    }
}
