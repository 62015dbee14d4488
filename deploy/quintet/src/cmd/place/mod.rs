//! `quintet place`: places one order or many.

mod many;

use crate::names;
use crate::orders::{Client, EMAIL, Follow, Followed, Order, Show, Wanted};
use anyhow::Result;
use clap::Args;
use clap::builder::PossibleValuesParser;
use quintet_suite::Exit;
use quintet_suite::Session;
use quintet_suite::invocation;
use quintet_suite::ui::{self, Ui};
use std::process::ExitCode;

/// The tokens that the sandbox's gateway knows; it declines every other one.
const TOKENS: [&str; 6] =
    ["tok_ok", "tok_declined", "tok_unknown", "tok_flaky", "tok_poisoned", "tok_refund_refused"];

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The product to order
    #[arg(long, default_value = "mug")]
    sku: String,
    /// The quantity to order
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(i64).range(1..=100_000_000))]
    quantity: i64,
    /// The payment token, which decides what the sandbox's gateway does with the charge
    #[arg(long, default_value = "tok_ok", value_parser = PossibleValuesParser::new(TOKENS))]
    token: String,
    /// The customer's address, to which mail is sent
    #[arg(long, value_name = "ADDRESS", default_value = EMAIL)]
    email: String,
    /// The postal code to ship to; the sandbox's carrier refuses `00000`
    #[arg(long, value_name = "P", default_value = "1010")]
    postal_code: String,
    /// How many orders to place
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// With --count: how many orders to place at a time
    #[arg(long, value_name = "N", default_value_t = 32, requires = "count",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Watch until the orders have ended; exit code 3 if one waits for an operator
    #[arg(long)]
    follow: bool,
}

impl Place {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let (suite, api) = session.running_with(names::order()).await?;
        let client = Client::new(&suite, api);
        let wanted = Wanted {
            sku: self.sku,
            quantity: self.quantity,
            token: self.token,
            postal_code: self.postal_code,
            email: self.email,
        };
        if let Some(count) = self.count {
            let concurrency = usize::from(self.concurrency);
            let load = many::Load { client, wanted, count, concurrency, follow: self.follow };
            return load.run(session.json).await;
        }
        let order = client.place(&wanted).await?;
        if self.follow {
            return follow(&client, &order, session.json).await;
        } else if session.json {
            ui::result(&order.json.to_string());
        } else {
            ui::result(&format!("placed {}\n  {}", order.title(), client.url(&order.id)));
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn follow(client: &Client, order: &Order, json: bool) -> Result<ExitCode> {
    if !json {
        ui::result(&format!("placed {}", order.title()));
    }
    let show = if json { Show::End } else { Show::Text };
    let follow = Follow { client, show, until_stuck: true };
    if follow.run(order).await? == Followed::ToItsEnd {
        return Ok(ExitCode::SUCCESS);
    }
    let watch = invocation::command(&format!("watch {}", order.id));
    Ui::default().warn(&format!("order {} waits for an operator: `{watch}` tells more", order.id));
    Ok(Exit::WaitsForOperator.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_are_those_of_the_sandboxs_page() {
        let page = include_str!("../../../../sandbox/README.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `tok_"));
        let named = rows.filter_map(|row| Some(format!("tok_{}", row.split_once('`')?.0)));
        assert_eq!(named.collect::<Vec<_>>(), TOKENS);
    }
}
