//! A clean suite of the bench's own: `quintet up` as a child, on a leash.

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

/// Where a clean suite is set up.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) session: Session,
    pub(super) dir: DataDir,
    pub(super) port: u16,
    pub(super) brokers: Option<String>,
    pub(super) postgres: Option<String>,
    pub(super) namespace: String,
}

/// A key of the services' configuration with another value than usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Override {
    pub(super) key: String,
    pub(super) value: String,
}

/// A suite that runs for us. It ends with us, however that happens.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) suite: Suite,
    child: Child,
    leash: Option<ChildStdin>,
    /// Held, because whoever reports into a closed pipe fails.
    _stdout: BufReader<ChildStdout>,
}

impl Place {
    /// Beside what a suite of the user's keeps there.
    ///
    /// # Errors
    /// When the directory is not usable.
    pub(super) fn dir(session: &Session) -> Result<DataDir> {
        session.dir()?.beside("bench")
    }

    /// Deletes what a suite has left here and on the servers, and the directory if it holds nothing
    /// else.
    ///
    /// # Errors
    /// When something cannot be deleted.
    pub(super) async fn clear(&self, ui: &Ui) -> Result<()> {
        if let Some(server) = &self.postgres {
            Server::at(server, self.session.manifest, &self.namespace)?.clear(ui).await?;
        }
        if let Some(brokers) = &self.brokers {
            Cluster::at(brokers, &self.session, &self.namespace)?.prepare(true, ui).await?;
        }
        self.dir.wipe(self.session.manifest)?;
        // What else lies there is not ours.
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

impl Stage {
    /// Starts the suite and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready; it has said itself why.
    pub(super) async fn set(place: &Place, overrides: &[Override]) -> Result<Self> {
        let executable = std::env::current_exe().context("cannot tell where `quintet` lies")?;
        let mut child = Command::new(executable)
            .args(place.arguments())
            .env("QUINTET_LEASH", "stdin")
            .envs(variables(place.session.manifest, overrides))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C is for us; the leash ends it.
            .process_group(0)
            .spawn()
            .context("cannot start `quintet up`")?;
        let leash = child.stdin.take();
        let stdout = child.stdout.take().context("`quintet up` has no output")?;
        let (mut stdout, mut said) = (BufReader::new(stdout), String::new());
        stdout.read_line(&mut said).await.context("cannot read what `quintet up` says")?;
        if said.is_empty() {
            bail!("the suite to measure did not get ready: see above");
        }
        let suite = serde_json::from_str(&said).context("`quintet up` was another version")?;
        Ok(Self { suite, child, leash, _stdout: stdout })
    }

    /// Stops the suite.
    ///
    /// # Errors
    /// When it does not end well.
    pub(super) async fn strike(mut self) -> Result<()> {
        drop(self.leash.take());
        let status = self.child.wait().await.context("`quintet up` got lost")?;
        if !status.success() {
            bail!("the suite did not end well: see above");
        }
        Ok(())
    }
}

/// The same for all services.
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
