//! `dead-letters list`.

use super::{Desk, count, text};
use crate::component::{Component, parse};
use crate::desk::subject;
use crate::duration;
use crate::session::Session;
use crate::ui;
use anyhow::{Context, Result};
use clap::Args;
use clock::{Clock, SystemClock};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// Dead-letter queues of one answer.
const PAGE: usize = 1_000;
/// Aggregates named under one cause.
const NAMED: usize = 5;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only what is parked in this service
    #[arg(long, value_name = "SERVICE", value_parser = parse)]
    service: Option<Component>,
}

impl List {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let desk = Desk::of(session, self.service).await?;
        let (mut all, now) = (Map::new(), SystemClock.now());
        let mut said = Vec::new();
        let mut answers =
            desk.each(async |service, admin| parked(&desk, service, admin).await).await;
        for (service, parked) in answers.found.drain(..) {
            let report = Report { aggregate: &session.manifest.aggregate, service, now };
            said.extend(report.lines(&parked));
            all.insert(service.name().to_owned(), parked);
        }
        if session.json {
            ui::result(&Value::from(all).to_string());
        } else if said.is_empty() {
            ui::result(&format!("nothing is parked{}", answers.scope()));
        } else {
            ui::result(&said.join("\n"));
        }
        Ok(answers.code())
    }
}

/// All that is parked in a service.
pub(super) async fn parked(desk: &Desk, service: Component, admin: &str) -> Result<Value> {
    let mut queues: Vec<Value> = Vec::new();
    let mut after = String::new();
    loop {
        let url = format!("{admin}/admin/dead-letters?limit={PAGE}{after}");
        let page: Option<Value> = desk.ask(service, Method::GET, &url).await?;
        let page = page.with_context(|| {
            format!("{service} has no /admin/dead-letters: it is older than this command")
        })?;
        queues.extend(page["queues"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next"].as_str() else {
            let (groups, postponed) = (&page["groups"], &page["postponed"]);
            return Ok(json!({"groups": groups, "queues": queues, "postponed": postponed}));
        };
        after = format!("&after={next}");
    }
}

/// Tells what is parked in a service.
struct Report<'a> {
    /// What the saga's events are about.
    aggregate: &'a str,
    service: Component,
    now: Timestamp,
}

impl Report<'_> {
    /// The causes, each with the first aggregates that wait for it; then what cannot be applied and comes again.
    fn lines(&self, parked: &Value) -> Vec<String> {
        let list = |field: &str| parked[field].as_array().cloned().unwrap_or_default();
        let queues = list("queues");
        let groups = list("groups");
        let mut said: Vec<String> = groups.iter().flat_map(|it| self.cause(it, &queues)).collect();
        for postponed in list("postponed") {
            let (service, kind) = (self.service, text(&postponed, "kind"));
            let of = subject(&postponed);
            said.push(format!("{service}: {kind} of {of} cannot be applied, and is tried again"));
            said.extend(ui::wrapped(text(&postponed, "why"), 4));
        }
        said
    }

    fn cause(&self, group: &Value, queues: &[Value]) -> Vec<String> {
        let number = |field: &str| group[field].as_i64().unwrap_or(0);
        let first = text(group, "first_at").parse();
        let age = first.map(|at| duration::age(self.now.duration_since(at)));
        let mut said = vec![format!(
            "{}: {} {}, {} in {}, the first {} ago",
            self.service,
            group["event_type"].as_str().unwrap_or("record"),
            text(group, "cause").replace('_', " "),
            count(number("dead_letters"), "dead letter"),
            count(number("queues"), self.aggregate),
            age.unwrap_or_default(),
        )];
        said.extend(ui::wrapped(text(group, "summary"), 4));
        let same = |queue: &&Value| {
            queue["cause"] == group["cause"] && queue["summary"] == group["summary"]
        };
        let of_group: Vec<&Value> = queues.iter().filter(same).collect();
        for queue in of_group.iter().take(NAMED) {
            let tried = count(queue["attempts"].as_i64().unwrap_or(0), "attempt");
            let replaying = if queue["replaying"] == true { ", being replayed" } else { "" };
            said.push(format!("    {}  {tried}{replaying}", text(queue, "id")));
        }
        if of_group.len() > NAMED {
            said.push(format!("    and {} more", of_group.len() - NAMED));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_listed_with_what_waits_for_them() {
        let queue = |nth: usize| json!({"id": format!("trip-{nth}"), "cause": "panicked", "summary": "asked to", "attempts": 1, "replaying": nth == 0});
        let queues: Vec<Value> = (0..7).map(queue).collect();
        let parked = json!({
            "groups": [{"cause": "panicked", "summary": "asked to", "event_type": "TripBooked",
                "queues": 7, "dead_letters": 9, "first_at": "2026-01-01T00:00:00Z"}],
            "queues": queues, "postponed": [],
        });
        let now = "2026-01-01T00:03:00Z".parse().unwrap();
        let service = Component::named("flights");
        let lines = Report { aggregate: "trip", service, now }.lines(&parked);
        assert_eq!(
            lines[0],
            "flights: TripBooked panicked, 9 dead letters in 7 trips, the first 3m ago"
        );
        assert_eq!(lines[1], "    asked to");
        assert_eq!(lines[2], "    trip-0  1 attempt, being replayed");
        assert_eq!(lines.last().unwrap(), "    and 2 more");
    }
}
