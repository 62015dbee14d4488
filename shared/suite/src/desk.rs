//! Queries of the services' admin listeners, for the commands of operators.

use crate::component::Component;
use crate::http::{Api, Error, Request};
use crate::session::Session;
use crate::suite::{Launcher, Suite};
use crate::ui::Ui;
use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::process::ExitCode;

/// A client of the admin listeners of one service, or of all services of a suite.
pub(crate) struct Desk {
    api: Api,
    launcher: Launcher,
    /// The services with the URLs of their admin listeners.
    services: Vec<(Component, String)>,
}

/// The answers of several services to one query.
pub(crate) struct Answers<T> {
    /// The services that answered.
    pub(crate) found: Vec<(Component, T)>,
    /// For each other service, why it did not answer.
    pub(crate) silent: Vec<String>,
}

impl Desk {
    /// A client for the suite of the session: for the service `only`, or for all.
    ///
    /// # Errors
    /// If no suite runs, or `only` is no service of it.
    pub(crate) async fn of(session: &Session, only: Option<Component>) -> Result<Self> {
        let (suite, launcher) = Suite::running(&session.dir()?).await?;
        if let Some(only) = only.filter(|only| !suite.services.contains_key(only)) {
            suite.component(only)?;
            bail!("{only} is no service: nothing waits there");
        }
        let services =
            suite.services.iter().filter(|(name, _)| only.is_none_or(|wanted| wanted == **name));
        let services = services.map(|(name, service)| (*name, service.admin_url.clone()));
        Ok(Self { api: Api::new()?, launcher, services: services.collect() })
    }

    /// Asks one service after another. A service that fails does not keep the others from being asked.
    pub(crate) async fn each<T>(
        &self,
        ask: impl AsyncFn(Component, &str) -> Result<T>,
    ) -> Answers<T> {
        let mut answers = Answers { found: Vec::new(), silent: Vec::new() };
        for (service, admin) in &self.services {
            match ask(*service, admin).await {
                Ok(answer) => answers.found.push((*service, answer)),
                Err(error) => answers.silent.push(crate::explain(&error)),
            }
        }
        answers
    }

    /// The URL of a service's admin listener.
    pub(crate) fn admin(&self, service: Component) -> &str {
        let found = self.services.iter().find(|(name, _)| *name == service);
        found.map_or("", |(_, admin)| admin)
    }

    /// The answer of one service; `None` if it answers 404.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        service: Component,
        method: Method,
        url: &str,
    ) -> Result<Option<T>> {
        self.send(service, &Request { method, url, body: None, idempotency_key: None }).await
    }

    /// As [`Self::ask`], for a request with a body.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        service: Component,
        request: &Request<'_>,
    ) -> Result<Option<T>> {
        match self.api.send(request, None).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) if error.is_worth_a_repeat() => match self.launcher.why_down(service) {
                Some(why) => bail!(why),
                None => Err(error).with_context(|| service.name()),
            },
            Err(error) => Err(error).with_context(|| service.name()),
        }
    }
}

impl<T> Answers<T> {
    /// Warns on stderr of each service that did not answer. The exit code is 1 if there is one.
    pub(crate) fn code(&self) -> ExitCode {
        self.silent.iter().for_each(|why| Ui::default().warn(why));
        if self.silent.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// The restriction of a statement to the services that answered; empty if all did.
    pub(crate) const fn scope(&self) -> &'static str {
        if self.silent.is_empty() { "" } else { " in the services that answer" }
    }

    /// As [`Self::scope`], followed by the reasons why the others did not answer.
    pub(crate) fn limits(&self) -> String {
        let silent = self.silent.join("; ");
        if silent.is_empty() { silent } else { format!("{} ({silent})", self.scope()) }
    }
}

/// A text field of an answer; empty if there is none.
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// The id of the aggregate that an answer is about: its first field whose name ends with `_id`.
pub(crate) fn subject(value: &Value) -> &str {
    let ids = value.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_id"));
    let mut texts = ids.filter_map(|(_, id)| id.as_str());
    texts.next().unwrap_or_default()
}

/// A number with its noun: `1 dead letter`, `2 dead letters`.
pub(crate) fn count(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
