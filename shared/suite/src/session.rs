//! The state that every sub-command works with.

use crate::catalog::Catalog;
use crate::component::Component;
use crate::datadir::DataDir;
use crate::http::Api;
use crate::manifest::Manifest;
use crate::suite::Suite;
use anyhow::{Result, bail};
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The options of every sub-command.
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

/// The state that every sub-command works with: the common options, and the program's knowledge of its saga.
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
    /// The services and providers that this program can run itself.
    pub runnable: BTreeSet<&'static str>,
    /// Reads the schemas of the saga's contract. Only some commands need them.
    pub(crate) catalog: fn() -> Catalog,
}

impl Session {
    /// The data directory that the command works on.
    ///
    /// # Errors
    /// If its path is not usable.
    pub fn dir(&self) -> Result<DataDir> {
        DataDir::find(self.data.as_deref())
    }

    /// The suite that runs on the data directory, and a client for its HTTP interfaces.
    ///
    /// # Errors
    /// If none runs.
    pub async fn running(&self) -> Result<(Suite, Api)> {
        let (suite, _) = Suite::running(&self.dir()?).await?;
        Ok((suite, Api::new()?))
    }

    /// As [`Self::running`], for a command that needs this component. It fails at once where waiting for the component
    /// would be in vain.
    ///
    /// # Errors
    /// If no suite runs, it has no such component, or the component is down until the user starts it.
    pub async fn running_with(&self, component: Component) -> Result<(Suite, Api)> {
        let (suite, launcher) = Suite::running(&self.dir()?).await?;
        suite.component(component)?;
        if let Some(why) = launcher.why_down(component) {
            bail!(why);
        }
        Ok((suite, Api::new()?))
    }

    /// The services of the suite on the data directory; if there is none, those of the manifest.
    ///
    /// # Errors
    /// If `up.json` cannot be parsed.
    pub(crate) fn services(&self) -> Result<Vec<Component>> {
        let suite = Suite::read(&self.dir()?)?;
        let of_suite = suite.map(|suite| suite.services.into_keys().collect());
        Ok(of_suite.unwrap_or_else(|| self.manifest.services().collect()))
    }

    /// A session for tests, with the manifest and the topics of a trip.
    #[cfg(test)]
    pub(crate) fn of_test(data: &std::path::Path) -> Self {
        let manifest = crate::manifest::tests::trip();
        let topics = ["bookings", "flights"].into();
        let runnable = ["booking", "flights", "airline"].into();
        let (data, catalog) = (Some(data.to_owned()), Catalog::default as fn() -> Catalog);
        Self { data, json: false, manifest, topics, runnable, catalog }
    }
}
