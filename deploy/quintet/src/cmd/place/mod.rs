//! `quintet place`.

mod follow;
mod many;
mod order;

use crate::cli::Global;
use crate::ui;
use anyhow::{Result, bail};
use clap::Args;
use follow::follow;
use order::{Client, Wanted};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// What to order
    #[arg(long, default_value = "mug")]
    sku: String,
    /// How much of it
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(i64).range(1..=100_000_000))]
    quantity: i64,
    /// How to pay: `tok_ok`, `tok_declined`, `tok_unknown`, `tok_flaky`, `tok_refund_refused`
    #[arg(long, default_value = "tok_ok")]
    token: String,
    /// Where to ship: the carrier refuses `00000`
    #[arg(long, value_name = "P", default_value = "1010")]
    postal_code: String,
    /// How many orders to place
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// With --count: how many at a time
    #[arg(long, value_name = "N", default_value_t = 32, requires = "count",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Watch until the orders have ended
    #[arg(long)]
    follow: bool,
}

impl Place {
    pub(crate) async fn run(self, global: &Global) -> Result<ExitCode> {
        let (suite, api) = super::running(global).await?;
        let client = Client::new(&suite, api);
        let wanted = Wanted {
            sku: self.sku,
            quantity: self.quantity,
            token: self.token,
            postal_code: self.postal_code,
        };
        if let Some(count) = self.count {
            let concurrency = usize::from(self.concurrency);
            let load = many::Load { client, wanted, count, concurrency, follow: self.follow };
            return load.run(global.json).await;
        }
        let order = client.place(&wanted).await?;
        if self.follow {
            let end = follow(&client, &order, global.json).await?;
            if end.needs_attention && !end.has_ended() {
                bail!("order {} needs attention: look at {}", end.id, client.url(&end.id));
            }
        } else if global.json {
            ui::result(&order.json.to_string());
        } else {
            ui::result(&format!("placed order {}: {}", order.id, client.url(&order.id)));
        }
        Ok(ExitCode::SUCCESS)
    }
}
