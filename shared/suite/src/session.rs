//! What every sub-command is told.

use crate::component::Component;
use crate::datadir::DataDir;
use crate::http::Api;
use crate::manifest::Manifest;
use crate::suite::Suite;
use anyhow::{Result, bail};
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What every sub-command takes on the command line.
#[derive(Clone, Debug, Default, Args)]
pub struct Options {
    /// Where the suite keeps its data, its log files and up.json [default: .quintet, here or in the
    /// nearest parent folder that has one]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

/// What every sub-command is told: the options that all have, and what the program knows of its saga.
#[derive(Clone, Debug)]
pub struct Session {
    /// See [`Options::data`].
    pub data: Option<PathBuf>,
    /// See [`Options::json`].
    pub json: bool,
    /// The manifest that the program was built with.
    pub manifest: &'static Manifest,
    /// The topics of the saga's contract.
    pub topics: BTreeSet<&'static str>,
    /// The services and providers that this program can be.
    pub runnable: BTreeSet<&'static str>,
}

impl Session {
    /// The data directory that the command works on.
    ///
    /// # Errors
    /// When its path is not usable.
    pub fn dir(&self) -> Result<DataDir> {
        DataDir::find(self.data.as_deref())
    }

    /// The suite that runs on the data directory, and a client to ask it.
    ///
    /// # Errors
    /// When none runs.
    pub async fn running(&self) -> Result<(Suite, Api)> {
        let (suite, _) = Suite::running(&self.dir()?).await?;
        Ok((suite, Api::new()?))
    }

    /// The same where a component is needed: one that nothing will start is not waited for.
    ///
    /// # Errors
    /// When no suite runs, it has no such component, or the component is left down.
    pub async fn running_with(&self, component: Component) -> Result<(Suite, Api)> {
        let (suite, launcher) = Suite::running(&self.dir()?).await?;
        suite.component(component)?;
        if let Some(why) = launcher.why_down(component) {
            bail!(why);
        }
        Ok((suite, Api::new()?))
    }

    /// The services of the suite on the data directory, else those of the manifest.
    ///
    /// # Errors
    /// When `up.json` cannot be understood.
    pub(crate) fn services(&self) -> Result<Vec<Component>> {
        let suite = Suite::read(&self.dir()?)?;
        let of_suite = suite.map(|suite| suite.services.into_keys().collect());
        Ok(of_suite.unwrap_or_else(|| self.manifest.services().collect()))
    }

    /// For tests: of the manifest and the topics of a trip.
    #[cfg(test)]
    pub(crate) fn of_test(data: &std::path::Path) -> Self {
        let manifest = crate::manifest::tests::trip();
        let topics = ["bookings", "flights"].into();
        let runnable = ["booking", "flights", "airline"].into();
        Self { data: Some(data.to_owned()), json: false, manifest, topics, runnable }
    }
}
