//! The points at which a saga's own program extends the commands that every suite has.

use crate::http::Api;
use crate::session::Session;
use crate::suite::Suite;
use crate::ui::Ui;
use anyhow::Result;
use async_trait::async_trait;
use std::process::ExitCode;
use std::time::Duration;

/// Extends `up` and `audit` for a saga. Each method does nothing by default.
#[async_trait(?Send)]
pub trait Extension {
    /// Puts the demo data of the manifest into a suite that is ready.
    ///
    /// # Errors
    /// If a service refuses the data. The suite is stopped then.
    async fn bring_demo(&self, _suite: &Suite, _context: &UpContext<'_>) -> Result<()> {
        Ok(())
    }

    /// The text that suggests to the user what to try with a suite that is ready. `data` is the option ` --data DIR`, or
    /// nothing; it belongs at the end of each command in the text.
    fn hints(&self, _suite: &Suite, _demo: bool, _data: &str) -> String {
        String::new()
    }

    /// Runs an audit of the saga's own instead of the one that every suite has; `None` if there is none. It waits at most
    /// so long until the suite is at rest.
    ///
    /// # Errors
    /// If the suite cannot be queried at all.
    async fn audit(&self, _session: &Session, _wait: Duration) -> Result<Option<ExitCode>> {
        Ok(None)
    }
}

/// The means of an [`Extension`] while `up` runs.
#[derive(Debug)]
pub struct UpContext<'a> {
    /// The user's terminal.
    pub ui: &'a Ui,
    /// A client for the suite's HTTP interfaces.
    pub api: &'a Api,
    /// The table `[demo]` of the manifest.
    pub demo: &'a serde_json::Value,
}

/// The extension of a saga that has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoExtension;

impl Extension for NoExtension {}
