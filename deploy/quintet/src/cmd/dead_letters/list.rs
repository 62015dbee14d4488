//! `quintet dead-letters list`.

use super::{Desk, count, text};
use crate::cli::Global;
use crate::duration;
use crate::program::Program;
use crate::ui;
use anyhow::{Context, Result};
use clap::Args;
use clock::{Clock, SystemClock};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// Lanes of one answer.
const PAGE: usize = 1_000;
/// Orders named under one cause.
const NAMED: usize = 5;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only what is parked in this service
    #[arg(long, value_name = "SERVICE")]
    service: Option<Program>,
}

impl List {
    pub(crate) async fn run(self, global: &Global) -> Result<ExitCode> {
        let desk = Desk::of(global, self.service).await?;
        let (mut all, now) = (Map::new(), SystemClock.now());
        let mut said = Vec::new();
        let mut answers =
            desk.each(async |service, admin| parked(&desk, service, admin).await).await;
        for (service, parked) in answers.found.drain(..) {
            said.extend(told(service, &parked, now));
            all.insert(service.name().to_owned(), parked);
        }
        if global.json {
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
pub(super) async fn parked(desk: &Desk, service: Program, admin: &str) -> Result<Value> {
    let mut lanes: Vec<Value> = Vec::new();
    let mut after = String::new();
    loop {
        let url = format!("{admin}/admin/dead-letters?limit={PAGE}{after}");
        let page: Option<Value> = desk.ask(service, Method::GET, &url).await?;
        let page = page.with_context(|| {
            format!("{service} has no /admin/dead-letters: it is older than this command")
        })?;
        lanes.extend(page["lanes"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next"].as_str() else {
            return Ok(json!({"groups": page["groups"], "lanes": lanes, "held": page["held"]}));
        };
        after = format!("&after={next}");
    }
}

/// A service's causes, each with the first orders that wait for it.
fn told(service: Program, parked: &Value, now: Timestamp) -> Vec<String> {
    let list = |field: &str| parked[field].as_array().cloned().unwrap_or_default();
    let lanes = list("lanes");
    let mut said = Vec::new();
    for group in list("groups") {
        let number = |field: &str| group[field].as_i64().unwrap_or(0);
        let age = text(&group, "first_at").parse().map(|at| duration::age(now.duration_since(at)));
        said.push(format!(
            "{service}: {} {}, {} in {}, the first {} ago",
            group["event_type"].as_str().unwrap_or("record"),
            text(&group, "cause").replace('_', " "),
            count(number("letters"), "letter"),
            count(number("lanes"), "order"),
            age.unwrap_or_default(),
        ));
        said.extend(ui::wrapped(text(&group, "summary"), 4));
        let same =
            |lane: &&Value| lane["cause"] == group["cause"] && lane["summary"] == group["summary"];
        let of_group: Vec<&Value> = lanes.iter().filter(same).collect();
        for lane in of_group.iter().take(NAMED) {
            let tried = count(lane["attempts"].as_i64().unwrap_or(0), "attempt");
            let replaying = if lane["replaying"] == true { ", being replayed" } else { "" };
            said.push(format!("    {}  {tried}{replaying}", text(lane, "id")));
        }
        if of_group.len() > NAMED {
            said.push(format!("    and {} more", of_group.len() - NAMED));
        }
    }
    for held in list("held") {
        let (kind, order) = (text(&held, "kind"), text(&held, "order_id"));
        said.push(format!("{service}: {kind} of {order} cannot be applied, and is tried again"));
        said.extend(ui::wrapped(text(&held, "why"), 4));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_with_their_orders() {
        let lane = |nth: usize| json!({"id": format!("order-{nth}"), "cause": "panicked", "summary": "told to", "attempts": 1, "replaying": nth == 0});
        let lanes: Vec<Value> = (0..7).map(lane).collect();
        let parked = json!({
            "groups": [{"cause": "panicked", "summary": "told to", "event_type": "OrderPlaced",
                "lanes": 7, "letters": 9, "first_at": "2026-01-01T00:00:00Z"}],
            "lanes": lanes, "held": [],
        });
        let told = told(Program::Payment, &parked, "2026-01-01T00:03:00Z".parse().unwrap());
        assert_eq!(
            told[0],
            "payment: OrderPlaced panicked, 9 letters in 7 orders, the first 3m ago"
        );
        assert_eq!(told[1], "    told to");
        assert_eq!(told[2], "    order-0  1 attempt, being replayed");
        assert_eq!(told.last().unwrap(), "    and 2 more");
    }
}
