//! The admin listeners of the services, as operators' commands ask them.

use crate::cli::Global;
use crate::http::{Api, Error, Request};
use crate::program::Program;
use anyhow::{Context, Result, bail};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The admin listeners of the services that are asked.
pub(super) struct Desk {
    api: Api,
    pub(super) services: Vec<(Program, String)>,
}

impl Desk {
    pub(super) async fn of(global: &Global, only: Option<Program>) -> Result<Self> {
        if only == Some(Program::Sandbox) {
            bail!("the sandbox is no service: nothing waits there");
        }
        let (suite, api) = super::running(global).await?;
        let services = suite.services.iter().filter(|(name, _)| only.is_none_or(|it| it == **name));
        let services = services.map(|(name, service)| (*name, service.admin_url.clone()));
        Ok(Self { api, services: services.collect() })
    }

    /// One service's answer; `None` where it knows of nothing.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        service: Program,
        method: Method,
        url: &str,
    ) -> Result<Option<T>> {
        self.send(service, &Request { method, url, body: None, idempotency_key: None }).await
    }

    /// The same with a body.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        service: Program,
        request: &Request<'_>,
    ) -> Result<Option<T>> {
        match self.api.send(request, None).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error).with_context(|| service.name()),
        }
    }
}

/// A text of an answer; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// `1 letter`, `2 letters`
pub(super) fn count(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
