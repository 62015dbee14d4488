//! The client of the launcher's control socket. Only the launcher's user can open this Unix socket, so neither a web page
//! nor another user can stop a service.

use crate::component::Component;
use crate::http::{self, Api, Request};
use crate::suite::Launcher;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time-out of an order. It is longer than the supervisor waits until a process is ready.
const TIME_OUT: Duration = Duration::from_secs(90);
/// The beginning of the URLs. HTTP requires a host, although a Unix socket has none.
const BASE: &str = "http://launcher";

/// A client of the launcher of a suite.
#[derive(Debug)]
pub struct Control {
    socket: PathBuf,
    api: Api,
}

impl Control {
    /// A client of the launcher with this control socket.
    ///
    /// # Errors
    /// If the client cannot be set up.
    pub fn at(socket: &Path) -> anyhow::Result<Self> {
        Ok(Self { socket: socket.to_owned(), api: Api::over(socket, TIME_OUT)? })
    }

    /// The state of the launcher.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn launcher(&self) -> Result<Launcher, http::Error> {
        self.ask(Method::GET, "/", Some(http::TIME_OUT)).await
    }

    /// Makes the launcher `start` or `stop` a component. Returns the component's new entry in `up.json`.
    ///
    /// # Errors
    /// If the launcher does not answer, or the component does not get ready.
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
