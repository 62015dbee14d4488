//! `dead-letters replay`.

use super::{Answers, Desk, about, count, list, text};
use crate::component::{Component, parse};
use crate::session::Session;
use crate::ui::{self, Ui};
use anyhow::Result;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(100);
/// A replay that takes longer goes on without us.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The id of what the records are about; of a record that names nothing, the id that `list` shows
    #[arg(value_name = "ID", required_unless_present = "all")]
    aggregate: Option<Uuid>,
    /// Everything that is parked
    #[arg(long, conflicts_with = "aggregate")]
    all: bool,
    /// Only what is parked in this service
    #[arg(long, value_name = "SERVICE", value_parser = parse)]
    service: Option<Component>,
}

/// What became of a dead-letter queue.
enum End {
    Applied,
    /// Its first dead letter failed again.
    Failed {
        left: usize,
        why: String,
    },
    /// It is still being replayed.
    Unknown,
}

impl Replay {
    /// Exit code 1 if something is still parked afterwards.
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let desk = Desk::of(session, self.service).await?;
        let mut answers = self.request(&desk).await?;
        let mut queues: Vec<(Component, Uuid)> = Vec::new();
        for (service, ids) in answers.found.drain(..) {
            queues.extend(ids.into_iter().map(|id| (service, id)));
        }
        let (ui, mut left) = (Ui::default(), 0);
        let progress = ui.bar("replaying", queues.len() as u64);
        let (mut said, mut results) = (Vec::new(), Vec::new());
        for (done, (service, queue)) in queues.iter().enumerate() {
            progress.at(done as u64);
            let end = wait(&desk, *service, *queue).await?;
            let (outcome, why) = match end {
                End::Applied => ("applied", None),
                End::Failed { left, why } => {
                    let left = count(i64::try_from(left).unwrap_or(i64::MAX), "dead letter");
                    ("parked", Some(format!("{left} still parked: {why}")))
                }
                End::Unknown => ("replaying", Some("is still being replayed".to_owned())),
            };
            left += usize::from(outcome != "applied");
            let text = why.as_deref().unwrap_or("applied");
            said.extend(ui::wrapped(&format!("{service}: {queue} {text}"), 0));
            let service = service.name();
            results.push(json!({"service": service, "id": queue, "outcome": outcome, "why": why}));
        }
        drop(progress);
        if session.json {
            ui::result(&json!({ "queues": results }).to_string());
        } else if said.is_empty() {
            ui::result(&format!("nothing is parked{}", answers.scope()));
        } else {
            ui::result(&said.join("\n"));
        }
        let code = answers.code();
        Ok(if left == 0 { code } else { ExitCode::FAILURE })
    }

    /// Requests the replays; returns the ids of the queues in each service.
    async fn request(&self, desk: &Desk) -> Result<Answers<Vec<Uuid>>> {
        if let Some(aggregate) = self.aggregate {
            let Answers { found, silent } =
                about::<Value>(desk, &Method::POST, aggregate, "/replay").await?;
            let found = found.into_iter().map(|(service, _)| (service, vec![aggregate])).collect();
            return Ok(Answers { found, silent });
        }
        Ok(desk.each(async |service, admin| replayed(desk, service, admin).await).await)
    }
}

/// Requests the replay of all dead-letter queues of a service; returns their ids.
async fn replayed(desk: &Desk, service: Component, admin: &str) -> Result<Vec<Uuid>> {
    let parked = list::parked(desk, service, admin).await?;
    let mut queues = Vec::new();
    for queue in parked["queues"].as_array().into_iter().flatten() {
        let queue: Uuid = text(queue, "id").parse()?;
        let url = format!("{admin}/admin/dead-letters/{queue}/replay");
        if desk.ask::<Value>(service, Method::POST, &url).await?.is_some() {
            queues.push(queue);
        }
    }
    Ok(queues)
}

/// Waits until the replay of a dead-letter queue is over.
async fn wait(desk: &Desk, service: Component, queue: Uuid) -> Result<End> {
    let admin = desk.admin(service);
    let url = format!("{admin}/admin/dead-letters/{queue}");
    let give_up = Instant::now() + PATIENCE;
    loop {
        let Some(found) = desk.ask::<Value>(service, Method::GET, &url).await? else {
            return Ok(End::Applied);
        };
        if found["replaying"] == false {
            let dead_letters = found["dead_letters"].as_array().cloned().unwrap_or_default();
            let errors = dead_letters.first().map(|dead_letter| dead_letter["errors"].clone());
            let errors = errors.as_ref().and_then(Value::as_array).into_iter().flatten();
            let why: Vec<&str> = errors.filter_map(Value::as_str).collect();
            return Ok(End::Failed { left: dead_letters.len(), why: why.join(": ") });
        }
        if Instant::now() >= give_up {
            return Ok(End::Unknown);
        }
        sleep(POLL).await;
    }
}
