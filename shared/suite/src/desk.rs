//! The admin listeners of the services, as operators' commands ask them.

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

/// The admin listeners of the services that are asked.
pub(crate) struct Desk {
    api: Api,
    launcher: Launcher,
    services: Vec<(Component, String)>,
}

/// What the services answer, each in its turn.
pub(crate) struct Answers<T> {
    pub(crate) found: Vec<(Component, T)>,
    /// Why the others do not answer.
    pub(crate) silent: Vec<String>,
}

impl Desk {
    pub(crate) async fn of(session: &Session, only: Option<Component>) -> Result<Self> {
        let (suite, launcher) = Suite::running(&session.dir()?).await?;
        if let Some(only) = only.filter(|only| !suite.services.contains_key(only)) {
            suite.component(only)?;
            bail!("{only} is no service: nothing waits there");
        }
        let services = suite.services.iter().filter(|(name, _)| only.is_none_or(|it| it == **name));
        let services = services.map(|(name, service)| (*name, service.admin_url.clone()));
        Ok(Self { api: Api::new()?, launcher, services: services.collect() })
    }

    /// Asks one service after the other, by its admin listener. One that fails hides nothing of the others.
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

    /// A service's admin listener.
    pub(crate) fn admin(&self, service: Component) -> &str {
        let found = self.services.iter().find(|(name, _)| *name == service);
        found.map_or("", |(_, admin)| admin)
    }

    /// One service's answer; `None` where it knows of nothing.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        service: Component,
        method: Method,
        url: &str,
    ) -> Result<Option<T>> {
        self.send(service, &Request { method, url, body: None, idempotency_key: None }).await
    }

    /// The same with a body.
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
    /// Says on stderr who does not answer, after what the others answered; the exit code is 1 then.
    pub(crate) fn code(&self) -> ExitCode {
        self.silent.iter().for_each(|why| Ui::default().warn(why));
        if self.silent.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// What follows a statement that holds of those only that answer.
    pub(crate) const fn scope(&self) -> &'static str {
        if self.silent.is_empty() { "" } else { " in the services that answer" }
    }

    /// The same with who does not answer.
    pub(crate) fn limits(&self) -> String {
        let silent = self.silent.join("; ");
        if silent.is_empty() { silent } else { format!("{} ({silent})", self.scope()) }
    }
}

/// A text of an answer; empty where there is none.
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// The id of the aggregate that an answer is about.
pub(crate) fn subject(value: &Value) -> &str {
    let ids = value.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_id"));
    let mut texts = ids.filter_map(|(_, id)| id.as_str());
    texts.next().unwrap_or_default()
}

/// `1 dead letter`, `2 dead letters`
pub(crate) fn count(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
