//! `dead-letters show`.

use super::{Desk, Which, about, count, text};
use crate::component::Component;
use crate::session::Session;
use crate::ui;
use anyhow::Result;
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value};
use std::process::ExitCode;

/// Of a body so much is shown; `--json` shows it whole.
const BODY: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
}

impl Show {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let desk = Desk::of(session, self.which.service).await?;
        let mut answers = about::<Value>(&desk, &Method::GET, self.which.aggregate, "").await?;
        let queues = answers.found.drain(..);
        if session.json {
            let queues = queues.map(|(service, queue)| (service.name().to_owned(), queue));
            ui::result(&Value::from(queues.collect::<Map<_, _>>()).to_string());
        } else {
            let lines = queues.flat_map(|(service, queue)| lines_of(service, &queue));
            ui::result(&lines.collect::<Vec<_>>().join("\n"));
        }
        Ok(answers.code())
    }
}

/// The dead letters of a queue, in order.
fn lines_of(service: Component, queue: &Value) -> Vec<String> {
    let dead_letters = queue["dead_letters"].as_array().cloned().unwrap_or_default();
    let replaying = if queue["replaying"] == true { ", being replayed" } else { "" };
    let number = i64::try_from(dead_letters.len()).unwrap_or(i64::MAX);
    let mut lines = vec![format!(
        "{service}: {} of {}, since {}{replaying}",
        count(number, "dead letter"),
        text(queue, "id"),
        text(queue, "since"),
    )];
    for (nth, dead_letter) in dead_letters.iter().enumerate() {
        lines.push(format!(
            "  {} {} at {}[{}] offset {}",
            nth + 1,
            dead_letter["event_type"].as_str().unwrap_or("record"),
            text(dead_letter, "topic"),
            dead_letter["partition"],
            dead_letter["offset"],
        ));
        lines.push(format!(
            "    {}, {}, parked {}, last tried {}",
            text(dead_letter, "cause").replace('_', " "),
            count(dead_letter["attempts"].as_i64().unwrap_or(0), "attempt"),
            text(dead_letter, "first_at"),
            text(dead_letter, "last_at"),
        ));
        for (depth, error) in dead_letter["errors"].as_array().into_iter().flatten().enumerate() {
            let error = error.as_str().unwrap_or_default();
            let caused = if depth == 0 { "" } else { "caused by: " };
            lines.extend(ui::wrapped(&format!("{caused}{error}"), 4));
        }
        lines.push(format!("    key {}", readable(&dead_letter["key"])));
        for header in dead_letter["headers"].as_array().into_iter().flatten() {
            let name = header[0].as_str().unwrap_or_default();
            lines.push(format!("    {name}: {}", readable(&header[1])));
        }
        let body: String = readable(&dead_letter["value"]).chars().take(BODY).collect();
        lines.extend(ui::wrapped(&body, 4));
    }
    lines
}

/// Text as it is, without what would confuse a terminal; bytes as numbers.
fn readable(raw: &Value) -> String {
    let text = raw.as_str().map_or_else(|| raw.to_string(), str::to_owned);
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dead_letter_is_shown_with_its_errors() {
        let queue = json!({"id": "trip-1", "since": "then", "replaying": false, "dead_letters": [{
            "event_type": "TripBooked", "topic": "bookings", "partition": 3, "offset": 17,
            "cause": "unknown_version", "attempts": 2, "first_at": "then", "last_at": "now",
            "errors": ["TripBooked v3 is unknown here", "upgrade"], "key": "trip-1",
            "headers": [["ce_id", "7"], ["odd", [255, 0]]], "value": "{\u{1b}}",
        }]});
        let lines = lines_of(Component::named("flights"), &queue);
        let expected = [
            "flights: 1 dead letter of trip-1, since then",
            "  1 TripBooked at bookings[3] offset 17",
            "    unknown version, 2 attempts, parked then, last tried now",
            "    TripBooked v3 is unknown here",
            "    caused by: upgrade",
            "    key trip-1",
            "    ce_id: 7",
            "    odd: [255,0]",
            "    { }",
        ];
        assert_eq!(lines, expected);
    }
}
