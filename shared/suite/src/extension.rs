//! What a saga's own program adds to the commands that every suite has.

use crate::http::Api;
use crate::session::Session;
use crate::suite::Suite;
use crate::ui::Ui;
use anyhow::Result;
use async_trait::async_trait;
use std::process::ExitCode;
use std::time::Duration;

/// What a saga adds to `up` and `audit`. By default nothing.
#[async_trait(?Send)]
pub trait Extension {
    /// Brings the demo data of the manifest into a suite that is ready.
    ///
    /// # Errors
    /// When a service refuses it: then the suite is stopped.
    async fn bring_demo(&self, _suite: &Suite, _told: &Told<'_>) -> Result<()> {
        Ok(())
    }

    /// What to try with a suite that is ready, with or without demo data. `data` belongs behind each command that is
    /// shown.
    fn hints(&self, _suite: &Suite, _demo: bool, _data: &str) -> String {
        String::new()
    }

    /// Tells by [`Ui::tell`] what happens in the suite, until this future is dropped.
    ///
    /// # Errors
    /// When it cannot: then the suite is stopped.
    async fn feed(&self, _suite: &Suite, _told: &Told<'_>) -> Result<()> {
        Ok(())
    }

    /// An audit of the saga's own, which waits so long at most for rest; `None` for the one that every suite has.
    ///
    /// # Errors
    /// When the suite cannot be asked at all.
    async fn audit(&self, _session: &Session, _wait: Duration) -> Result<Option<ExitCode>> {
        Ok(None)
    }
}

/// What an [`Extension`] of `up` works with.
#[derive(Debug)]
pub struct Told<'a> {
    /// The user's screen.
    pub ui: &'a Ui,
    /// A client to ask the suite.
    pub api: &'a Api,
    /// The table `[demo]` of the manifest.
    pub demo: &'a serde_json::Value,
}

/// Adds nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nothing;

impl Extension for Nothing {}
