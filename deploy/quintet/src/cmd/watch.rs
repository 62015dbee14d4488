//! `quintet watch ORDER`: shows an order's timeline as it grows.

use crate::names;
use crate::orders::{Client, Follow, Show};
use anyhow::{Result, anyhow, bail};
use clap::Args;
use quintet_suite::Session;
use quintet_suite::http::Error;
use quintet_suite::invocation;
use quintet_suite::ui;
use reqwest::StatusCode;
use std::process::ExitCode;
use uuid::Uuid;

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The order's id
    #[arg(value_name = "ORDER")]
    order: String,
}

impl Watch {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let id = order_id(&self.order)?;
        let (suite, api) = session.running_with(names::order()).await?;
        let client = Client::new(&suite, api);
        let order = client.read(&id).await.map_err(|error| unknown(error, &id))?;
        let show = if session.json { Show::Lines } else { Show::Text };
        if show == Show::Text {
            ui::result(&order.title());
        }
        Follow { client: &client, show, until_stuck: false }.run(&order).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Checks an order id before any request, so that the error says where to find one.
pub(super) fn order_id(text: &str) -> Result<String> {
    match Uuid::parse_str(text.trim()) {
        Ok(id) => Ok(id.to_string()),
        Err(_) => {
            bail!("{text:.40} is no order id: `{}` lists them", invocation::command("orders"))
        }
    }
}

fn unknown(error: Error, id: &str) -> anyhow::Error {
    match error {
        Error::Refused { status: StatusCode::NOT_FOUND, .. } => {
            anyhow!("there is no order {id}: `{}` lists them", invocation::command("orders"))
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_uuid_is_an_order_id() {
        let id = "01a1fde8-c42a-73f5-96da-6e816ab97e8a";
        for text in
            [id, "01A1FDE8C42A73F596DA6E816AB97E8A", " 01a1fde8-c42a-73f5-96da-6e816ab97e8a\n"]
        {
            assert_eq!(order_id(text).unwrap(), id);
        }
        let error = order_id("7").unwrap_err().to_string();
        assert_eq!(error, "7 is no order id: `quintet orders` lists them");
    }
}
