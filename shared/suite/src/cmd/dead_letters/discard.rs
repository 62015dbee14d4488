//! `dead-letters discard`.

use super::{Desk, Which, about, count};
use crate::session::Session;
use crate::ui;
use anyhow::{Result, bail};
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Discard {
    #[command(flatten)]
    which: Which,
    /// Also what waits behind it in the dead-letter queue: none of it will ever be applied
    #[arg(long)]
    all: bool,
}

impl Discard {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let desk = Desk::of(session, self.which.service).await?;
        if self.which.service.is_none() {
            let parked = about::<Value>(&desk, &Method::GET, self.which.aggregate, "").await?;
            if !parked.silent.is_empty() {
                let silent = parked.silent.join("; ");
                bail!("it may be parked elsewhere too ({silent}): say where by --service");
            }
            let names: Vec<&str> = parked.found.iter().map(|(service, _)| service.name()).collect();
            if names.len() > 1 {
                bail!("it is parked in {}: say which by --service", names.join(" and "));
            }
        }
        let action = if self.all { "/discard?all=true" } else { "/discard" };
        let mut answers =
            about::<Value>(&desk, &Method::POST, self.which.aggregate, action).await?;
        let discarded = answers.found.drain(..);
        if session.json {
            let all = discarded.map(|(service, it)| (service.name().to_owned(), it));
            ui::result(&Value::from(all.collect::<Map<_, _>>()).to_string());
            return Ok(answers.code());
        }
        for (service, it) in discarded {
            let number = |field: &str| it[field].as_i64().unwrap_or(0);
            let left = match number("left") {
                0 => "nothing is left".to_owned(),
                left => {
                    format!("{} left, to be replayed or discarded too", count(left, "dead letter"))
                }
            };
            let gone = count(number("discarded"), "dead letter");
            ui::result(&format!("{service}: {gone} discarded, {left}"));
        }
        Ok(answers.code())
    }
}
