//! `effects`: lists, retries and resolves requests to the outside world that have no definite answer.

use crate::component::{Component, parse};
use crate::desk::{Answers, Desk, count, subject, text};
use crate::duration;
use crate::http::Request;
use crate::invocation;
use crate::session::Session;
use crate::ui;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use clock::{Clock, SystemClock};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use uuid::Uuid;

/// The requests in one answer of a service.
const PAGE: usize = 1_000;

/// The arguments of `effects`.
#[derive(Debug, Args)]
pub struct Effects {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the requests to the outside world that are held for an operator
    List(List),
    /// Show one request, and why it has no answer
    Show(Show),
    /// Attempt a held request at once
    Retry(Retry),
    /// End a held request with the outcome that you found at the provider
    Resolve(Resolve),
}

impl Effects {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        match self.action {
            Action::List(list) => list.run(session).await,
            Action::Show(show) => show.run(session).await,
            Action::Retry(retry) => retry.run(session).await,
            Action::Resolve(resolve) => resolve.run(session).await,
        }
    }
}

#[derive(Debug, Args)]
struct List {
    /// Only those of this service
    #[arg(long, value_name = "SERVICE", value_parser = parse)]
    service: Option<Component>,
    /// Also those that the service still attempts by itself
    #[arg(long)]
    all: bool,
}

impl List {
    async fn run(self, session: &Session) -> Result<ExitCode> {
        let desk = Desk::of(session, self.service).await?;
        let (mut all, now) = (Map::new(), SystemClock.now());
        let mut lines = Vec::new();
        let mut answers =
            desk.each(async |service, admin| listed(&desk, service, admin, !self.all).await).await;
        for (service, effects) in answers.found.drain(..) {
            let describe = Description { aggregate: &session.manifest.aggregate, service, now };
            lines.extend(effects.iter().flat_map(|effect| describe.lines(effect)));
            all.insert(service.name().to_owned(), effects.into());
        }
        if session.json {
            ui::result(&Value::from(all).to_string());
        } else if lines.is_empty() {
            let waits = if self.all { "waits for an answer" } else { "is held" };
            ui::result(&format!("no request {waits}{}", answers.scope()));
        } else {
            ui::result(&lines.join("\n"));
        }
        Ok(answers.code())
    }
}

/// All requests of a service, page by page; only those that are held if `held`.
async fn listed(desk: &Desk, service: Component, admin: &str, held: bool) -> Result<Vec<Value>> {
    let (mut effects, mut after): (Vec<Value>, _) = (Vec::new(), String::new());
    loop {
        let url = format!("{admin}/admin/effects?held={held}&limit={PAGE}{after}");
        let page: Option<Value> = desk.ask(service, Method::GET, &url).await?;
        let page = page.with_context(|| {
            format!("{service} has no /admin/effects: it is older than this command")
        })?;
        effects.extend(page["effects"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next"].as_str() else { return Ok(effects) };
        after = format!("&after={next}");
    }
}

/// Describes requests of a service.
struct Description<'a> {
    /// The noun for an aggregate.
    aggregate: &'a str,
    service: Component,
    now: Timestamp,
}

impl Description<'_> {
    /// The lines about a request: first its name, aggregate, state and age, then why it has no answer.
    fn lines(&self, effect: &Value) -> Vec<String> {
        let Self { aggregate, service, now } = self;
        let age = |field: &str| {
            let at: Timestamp = text(effect, field).parse().ok()?;
            Some(duration::age(now.duration_since(at)))
        };
        let state = if effect["resolution"].is_object() {
            format!("resolved as {}", text(&effect["resolution"], "outcome"))
        } else {
            age("held_since").map_or("attempted".to_owned(), |age| format!("held for {age}"))
        };
        let mut lines = vec![format!(
            "{service}: {} {} of {aggregate} {}, {state}, {} in {}",
            effect["name"].as_str().unwrap_or("unreadable"),
            text(effect, "id"),
            subject(effect),
            count(effect["attempts"].as_i64().unwrap_or(0), "attempt"),
            age("created_at").unwrap_or_default(),
        )];
        lines.extend(ui::wrapped(text(effect, "last_error"), 4));
        lines
    }
}

#[derive(Debug, Args)]
struct Show {
    /// The request's id, as `list` shows it
    #[arg(value_name = "EFFECT")]
    id: Uuid,
}

impl Show {
    async fn run(self, session: &Session) -> Result<ExitCode> {
        let desk = Desk::of(session, None).await?;
        let found = find(&desk, self.id).await?;
        if session.json {
            let mut shown = found.effect;
            shown["service"] = found.service.name().into();
            ui::result(&shown.to_string());
            return Ok(ExitCode::SUCCESS);
        }
        let (aggregate, service) = (&session.manifest.aggregate, found.service);
        let describe = Description { aggregate, service, now: SystemClock.now() };
        let mut lines = describe.lines(&found.effect);
        lines.push(next(&found.effect));
        lines.push(format!("    request {}", found.effect["request"]));
        lines.push(format!("    idempotency key {}", self.id));
        ui::result(&lines.join("\n"));
        Ok(ExitCode::SUCCESS)
    }
}

/// The line about what happens when the request is due.
fn next(effect: &Value) -> String {
    let due = text(effect, "due_at");
    if effect["resolution"].is_object() {
        format!("    its outcome is applied at {due}")
    } else {
        format!("    the service sends it next at {due}")
    }
}

/// A request, and the service that it belongs to.
struct Found {
    service: Component,
    /// The URL of the service's admin listener.
    admin: String,
    effect: Value,
}

/// Finds a request by asking all services.
async fn find(desk: &Desk, id: Uuid) -> Result<Found> {
    let look = async |service, admin: &str| {
        let url = format!("{admin}/admin/effects/{id}");
        let effect = desk.ask(service, Method::GET, &url).await?;
        Ok(effect.map(|effect| Found { service, admin: admin.to_owned(), effect }))
    };
    let mut answers = desk.each(look).await;
    if let Some(found) = answers.found.drain(..).find_map(|(_, found)| found) {
        return Ok(found);
    }
    let (list, limits) = (invocation::command("effects list --all"), answers.limits());
    bail!("no request {id} waits for an answer{limits}; `{list}` says which do")
}

#[derive(Debug, Args)]
struct Retry {
    /// The request's id, as `list` shows it
    #[arg(value_name = "EFFECT", required_unless_present = "all")]
    id: Option<Uuid>,
    /// All held requests
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Only those of this service
    #[arg(long, value_name = "SERVICE", requires = "all", value_parser = parse)]
    service: Option<Component>,
}

impl Retry {
    async fn run(self, session: &Session) -> Result<ExitCode> {
        let desk = Desk::of(session, self.service).await?;
        let answers = if let Some(id) = self.id {
            let Found { service, admin, .. } = find(&desk, id).await?;
            let url = format!("{admin}/admin/effects/{id}/retry");
            let found = vec![(service, desk.ask(service, Method::POST, &url).await?)];
            Answers { found, silent: Vec::new() }
        } else {
            let retry = async |service, admin: &str| {
                let url = format!("{admin}/admin/effects/retry");
                desk.ask(service, Method::POST, &url).await
            };
            desk.each(retry).await
        };
        let retried = answers.found.iter().map(|(_, answer)| made_due(answer.as_ref())).sum();
        ui::result(&if session.json {
            json!({ "retried": retried }).to_string()
        } else {
            format!("{} made due: the service sends what is due at once", count(retried, "request"))
        });
        Ok(answers.code())
    }
}

fn made_due(answer: Option<&Value>) -> i64 {
    answer.and_then(|answer| answer["retried"].as_i64()).unwrap_or(0)
}

#[derive(Debug, Args)]
struct Resolve {
    /// The request's id, as `list` shows it
    #[arg(value_name = "EFFECT")]
    id: Uuid,
    /// What came of it, by a name that the service knows; or never_arrived, once the provider refuses its
    /// idempotency key
    #[arg(long)]
    outcome: String,
    /// The provider's reference, of what was done
    #[arg(long)]
    reference: Option<String>,
    /// Why, of what was refused
    #[arg(long)]
    reason: Option<String>,
}

impl Resolve {
    async fn run(self, session: &Session) -> Result<ExitCode> {
        let desk = Desk::of(session, None).await?;
        let Found { service, admin, effect } = find(&desk, self.id).await?;
        let mut body = json!({ "outcome": self.outcome });
        for (field, text) in [("reference", self.reference), ("reason", self.reason)] {
            if let Some(text) = text {
                body[field] = text.into();
            }
        }
        let url = format!("{admin}/admin/effects/{}/resolve", self.id);
        let request =
            Request { method: Method::POST, url: &url, body: Some(&body), idempotency_key: None };
        let answer: Option<Value> = desk.send(service, &request).await?;
        let answer = answer.context("it was answered meanwhile, and that answer counts")?;
        if session.json {
            ui::result(&answer.to_string());
        } else {
            let name = effect["name"].as_str().unwrap_or("the request");
            let at = text(&answer, "applied_at");
            ui::result(&format!("{service}: {name} counts as {} at {at}", self.outcome));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe() -> Description<'static> {
        let (service, now) = (Component::named("flights"), "2026-01-01T00:03:00Z".parse().unwrap());
        Description { aggregate: "trip", service, now }
    }

    #[test]
    fn a_held_request_is_described_with_its_error() {
        let effect = json!({"id": "e-1", "aggregate_id": "o-1", "name": "ticket", "attempts": 3,
            "created_at": "2026-01-01T00:00:00Z", "held_since": "2026-01-01T00:01:00Z",
            "last_error": "400 Bad Request", "resolution": null});
        let lines = describe().lines(&effect);
        let expected = [
            "flights: ticket e-1 of trip o-1, held for 2m, 3 attempts in 3m",
            "    400 Bad Request",
        ];
        assert_eq!(lines, expected);
        assert!(next(&effect).starts_with("    the service sends it next at "));
    }

    #[test]
    fn a_resolved_request_is_described_with_its_outcome() {
        let effect = json!({"id": "e-1", "aggregate_id": "o-1", "name": "ticket", "attempts": 1,
            "created_at": "2026-01-01T00:00:00Z", "held_since": "2026-01-01T00:01:00Z",
            "last_error": null, "due_at": "2026-01-01T00:04:00Z",
            "resolution": {"outcome": "issued", "reference": "ch_1"}});
        let lines = describe().lines(&effect);
        assert_eq!(lines, ["flights: ticket e-1 of trip o-1, resolved as issued, 1 attempt in 3m"]);
        assert_eq!(next(&effect), "    its outcome is applied at 2026-01-01T00:04:00Z");
    }
}
