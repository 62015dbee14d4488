//! The launcher's control socket, from the side of the commands. It is a Unix socket that only the launcher's user may
//! open: a web page or another user cannot stop a service.

use crate::component::Component;
use crate::http::{self, Api, Request};
use crate::suite::Launcher;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than the supervisor itself waits for a program.
const TIME_OUT: Duration = Duration::from_secs(90);
/// A Unix socket has no host; HTTP wants one.
const BASE: &str = "http://launcher";

/// A way to the launcher of a suite.
#[derive(Debug)]
pub struct Control {
    socket: PathBuf,
    api: Api,
}

impl Control {
    /// # Errors
    /// When the client cannot be set up.
    pub fn at(socket: &Path) -> anyhow::Result<Self> {
        Ok(Self { socket: socket.to_owned(), api: Api::over(socket, TIME_OUT)? })
    }

    /// What the launcher says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn launcher(&self) -> Result<Launcher, http::Error> {
        self.ask(Method::GET, "/", Some(http::TIME_OUT)).await
    }

    /// Has the launcher start or stop a program; answers what `up.json` says of it then.
    ///
    /// # Errors
    /// When the launcher does not answer, or the program does not get ready.
    pub async fn steer(&self, verb: &str, component: Component) -> Result<Value, http::Error> {
        self.ask(Method::POST, &format!("/{verb}/{component}"), None).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        time_out: Option<Duration>,
    ) -> Result<T, http::Error> {
        let url = format!("{BASE}{path}");
        let request = Request { method, url: &url, body: None, idempotency_key: None };
        let answer = self.api.send(&request, time_out).await;
        answer.map_err(|error| error.said_by(&format!("the launcher at {}", self.socket.display())))
    }
}
