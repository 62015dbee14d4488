//! An order's timeline as it grows.

use super::order::{Client, Entry, Order};
use crate::ui;
use anyhow::Result;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::sleep;

const POLL: Duration = Duration::from_millis(100);

/// Prints what happens until the order has ended, or waits for an operator.
///
/// # Errors
/// When the order can no longer be read.
pub(crate) async fn follow(client: &Client, placed: &Order, json: bool) -> Result<Order> {
    if !json {
        ui::result(&format!("placed order {}", placed.id));
    }
    let mut shown = -1;
    loop {
        let order = client.read(&placed.id).await?;
        if !json {
            for line in lines(&order, shown) {
                ui::result(&line);
            }
            shown = order.timeline.last().map_or(shown, |entry| entry.seq);
        }
        if order.has_ended() || order.needs_attention {
            ui::result(&if json { order.json.to_string() } else { verdict(&order) });
            return Ok(order);
        }
        sleep(POLL).await;
    }
}

/// A line for each event later than `shown`, with the time since the order was placed.
fn lines(order: &Order, shown: i64) -> Vec<String> {
    let start = order.placed_at();
    let new = order.timeline.iter().filter(|entry| entry.seq > shown);
    new.map(|entry| line(entry, start.unwrap_or(entry.at))).collect()
}

fn line(entry: &Entry, start: Timestamp) -> String {
    let since = entry.at.duration_since(start);
    format!("  {:>9}  {:<27} {}", format!("+{} ms", since.as_millis()), entry.event, entry.service)
}

fn verdict(order: &Order) -> String {
    let took = match (order.placed_at(), order.ended_at()) {
        (Some(start), Some(end)) => format!(" in {} ms", end.duration_since(start).as_millis()),
        _ => String::new(),
    };
    let reason = order.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let status = if order.has_ended() { "" } else { ", needs attention" };
    format!("{}{status}{took}{reason}", order.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(status: &str, reason: Option<&str>) -> Order {
        let event =
            |seq, event, at| json!({"seq": seq, "event": event, "service": "order", "at": at});
        let json = json!({
            "id": "o1", "status": status, "reason": reason, "needs_attention": false,
            "timeline": [
                event(1, "OrderPlaced", "2026-01-01T00:00:00Z"),
                event(2, "StockRejected", "2026-01-01T00:00:00.012Z"),
                event(3, "OrderCancelled", "2026-01-01T00:00:00.034Z"),
            ]
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_what_is_new_is_shown_with_the_time_since_the_order_was_placed() {
        let order = order("placed", None);
        assert_eq!(lines(&order, -1).len(), 3);
        assert_eq!(
            lines(&order, 1),
            [
                "     +12 ms  StockRejected               order",
                "     +34 ms  OrderCancelled              order"
            ]
        );
        assert!(lines(&order, 3).is_empty());
    }

    #[test]
    fn the_last_line_says_how_and_why_it_ended() {
        assert_eq!(
            verdict(&order("cancelled", Some("out_of_stock"))),
            "cancelled in 34 ms: out_of_stock"
        );
        assert_eq!(verdict(&order("completed", None)), "completed in 34 ms");
    }
}
