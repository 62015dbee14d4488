//! `quintet place --count N`: places many orders, and with `--follow` waits until they have ended.

use crate::orders::{Client, Order, Wanted};
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use quintet_suite::Exit;
use quintet_suite::ui::{self, Ui};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The pause between two readings of all open orders.
const POLL: Duration = Duration::from_millis(200);
/// How many orders are read at a time. Few, so that reading takes little capacity from the orders.
const READERS: usize = 8;

/// Orders to place, and how.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) client: Client,
    pub(crate) wanted: Wanted,
    pub(crate) count: u64,
    pub(crate) concurrency: usize,
    pub(crate) follow: bool,
}

/// The numbers of orders by how they ended.
#[derive(Debug, Default, PartialEq)]
struct Ends {
    completed: u64,
    cancelled: u64,
    needing_attention: u64,
    /// The time from the placing of the first order to the end of the last one.
    seconds: f64,
}

impl Load {
    /// Places all orders and prints a report. Exit code 3 if an order waits for an operator.
    ///
    /// # Errors
    /// When an order is refused.
    pub(crate) async fn run(&self, as_json: bool) -> Result<ExitCode> {
        let ui = Ui::default();
        let begun = Instant::now();
        let ids = self.place(&ui).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let mut summary = json!({
            "accepted": ids.len(), "seconds": seconds, "accepted_per_second": rate(self.count, seconds)
        });
        let line = format!(
            "{} orders accepted in {seconds:.2} s, {:.0} per second",
            ids.len(),
            rate(self.count, seconds)
        );
        if !as_json {
            ui::result(&line);
        }
        let mut code = ExitCode::SUCCESS;
        if self.follow {
            let ends = self.watch(ids, &ui).await?;
            if ends.needing_attention > 0 {
                code = Exit::WaitsForOperator.into();
            }
            ends.add_to(&mut summary);
            if !as_json {
                ui::result(&ends.line());
            }
        }
        if as_json {
            ui::result(&summary.to_string());
        }
        Ok(code)
    }

    /// Places the orders, and returns their ids.
    async fn place(&self, ui: &Ui) -> Result<Vec<String>> {
        let bar = ui.bar("placing", self.count);
        let mut ids = Vec::new();
        let mut answers = stream::iter(0..self.count)
            .map(async |nth| self.client.place(&self.wanted.of_customer(nth)).await)
            .buffer_unordered(self.concurrency);
        while let Some(answer) = answers.next().await {
            let order = answer.with_context(|| format!("after {} accepted orders", ids.len()))?;
            ids.push(order.id);
            bar.at(ids.len() as u64);
        }
        Ok(ids)
    }

    async fn watch(&self, ids: Vec<String>, ui: &Ui) -> Result<Ends> {
        let bar = ui.bar("ended", self.count);
        let mut open = ids;
        let mut ended: Vec<Order> = Vec::new();
        let mut stuck = 0;
        while open.len() > stuck {
            let orders: Vec<Order> = stream::iter(&open)
                .map(|id| self.client.read(id))
                .buffer_unordered(READERS)
                .try_collect()
                .await?;
            let (just_ended, still_open): (Vec<_>, Vec<_>) =
                orders.into_iter().partition(Order::has_ended);
            ended.extend(just_ended);
            bar.at(ended.len() as u64);
            stuck = self.count_stuck(&still_open).await;
            open = still_open.into_iter().map(|order| order.id).collect();
            if open.len() > stuck {
                sleep(POLL).await;
            }
        }
        Ok(Ends::of(&ended, stuck as u64))
    }

    /// How many of the open orders wait for an operator.
    async fn count_stuck(&self, open: &[Order]) -> usize {
        let is_stuck = async |order: &Order| {
            order.needs_attention || self.client.is_refund_refused(order).await
        };
        let stuck = stream::iter(open).map(is_stuck).buffer_unordered(READERS);
        stuck.filter(|is_stuck| std::future::ready(*is_stuck)).count().await
    }
}

impl Ends {
    fn of(ended: &[Order], needing_attention: u64) -> Self {
        let count = |status| ended.iter().filter(|order| order.status == status).count() as u64;
        let first = ended.iter().filter_map(Order::placed_at).min();
        let last = ended.iter().filter_map(Order::ended_at).max();
        let seconds = match (first, last) {
            (Some(first), Some(last)) => last.duration_since(first).as_secs_f64(),
            _ => 0.0,
        };
        let (completed, cancelled) = (count("completed"), count("cancelled"));
        Self { completed, cancelled, needing_attention, seconds }
    }

    fn settled_per_second(&self) -> f64 {
        rate(self.completed + self.cancelled, self.seconds)
    }

    fn line(&self) -> String {
        let attention = match self.needing_attention {
            0 => String::new(),
            1 => "; 1 waits for an operator".to_owned(),
            some => format!("; {some} wait for an operator"),
        };
        format!(
            "{} completed, {} cancelled in {:.2} s, {:.0} settled per second{attention}",
            self.completed,
            self.cancelled,
            self.seconds,
            self.settled_per_second()
        )
    }

    fn add_to(&self, summary: &mut Value) {
        summary["completed"] = json!(self.completed);
        summary["cancelled"] = json!(self.cancelled);
        summary["needing_attention"] = json!(self.needing_attention);
        summary["settled_seconds"] = json!(self.seconds);
        summary["settled_per_second"] = json!(self.settled_per_second());
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 orders")]
fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(status: &str, placed: &str, end: &str) -> Order {
        let event = |seq, event, at: &str| {
            json!({"seq": seq, "event": event, "service": "order",
                   "at": format!("2026-01-01T00:00:{at}Z")})
        };
        let end_event = if status == "completed" { "OrderCompleted" } else { "OrderCancelled" };
        let late = event(3, "NotificationSent", "59");
        let timeline = [event(1, "OrderPlaced", placed), event(2, end_event, end), late];
        serde_json::from_value(json!({"id": "o", "status": status, "timeline": timeline})).unwrap()
    }

    #[test]
    fn the_time_counts_from_the_first_order_to_the_last_end() {
        let ended = [
            order("completed", "10", "12"),
            order("cancelled", "11", "14"),
            order("completed", "12", "13"),
        ];
        let ends = Ends::of(&ended, 1);
        let expected = Ends { completed: 2, cancelled: 1, needing_attention: 1, seconds: 4.0 };
        assert_eq!(ends, expected);
        assert_eq!(
            ends.line(),
            "2 completed, 1 cancelled in 4.00 s, 1 settled per second; 1 waits for an operator"
        );
    }
}
