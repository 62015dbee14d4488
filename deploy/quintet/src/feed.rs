//! What the terminal of `quintet up` shows while orders flow: a line for each order that ends.
//!
//! The launcher lists the newest orders now and then, as any client could. Orders that were open at the last look are read
//! one by one. A suite at rest costs one small request every two seconds.

use crate::orders::{Client, Filter, Order};
use anyhow::Result;
use quintet_suite::Suite;
use quintet_suite::duration;
use quintet_suite::http::{self, Api};
use quintet_suite::ui::Ui;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

/// The pause between two looks while something happens; it doubles up to the longest while nothing does.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(2);
/// More orders that end between two looks are told in one line.
const LINES: usize = 10;
/// Orders of one answer, and answers of one look.
const PAGE: u64 = 200;
const PAGES: usize = 20;
/// Open orders that one look reads one by one.
const READS: usize = 20;
/// Ended orders that are remembered, so that none is told twice.
const REMEMBERED: usize = 2_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Feed {
    client: Client,
    ui: Ui,
    known: Known,
}

/// The orders that were seen, by their ids, which grow with time.
#[derive(Debug, Default)]
struct Known {
    open: BTreeSet<String>,
    ended: BTreeSet<String>,
    /// Where the reading of open orders goes on.
    read: Option<String>,
}

/// What a list says of an order.
#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    status: String,
}

impl Feed {
    /// # Errors
    /// When the client cannot be set up.
    pub(crate) fn of(suite: &Suite, ui: &Ui) -> Result<Self> {
        let client = Client::patient(suite, Api::untraced()?, Duration::ZERO);
        Ok(Self { client, ui: ui.clone(), known: Known::default() })
    }

    /// Tells what ends from now on, until it is dropped.
    pub(crate) async fn run(mut self) {
        // What ended before is no news. A service that is down is asked again.
        while self.look().await.is_err() {
            sleep(LONGEST).await;
        }
        let mut pause = SHORTEST;
        loop {
            sleep(pause).await;
            let ended = self.look().await.unwrap_or_default();
            pause = if ended.is_empty() { (pause * 2).min(LONGEST) } else { SHORTEST };
            self.tell(ended).await;
        }
    }

    /// The orders that have ended since the last look.
    async fn look(&mut self) -> Result<Vec<Listed>, http::Error> {
        let newest = self.known.newest().cloned();
        let (mut listed, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let page = self.client.list(&Filter::default(), PAGE, cursor.as_deref()).await?;
            let page_of: Vec<Listed> = page.orders.into_iter().filter_map(understood).collect();
            let reached =
                newest.is_none() || page_of.iter().any(|it| Some(&it.id) <= newest.as_ref());
            listed.extend(page_of);
            cursor = page.next;
            if reached || cursor.is_none() {
                break;
            }
        }
        let unlisted = self.known.next_reads(&listed);
        for id in unlisted {
            // One that cannot be read just now has another turn.
            if let Ok(order) = self.client.read(&id).await {
                listed.push(Listed { id: order.id, status: order.status });
            }
        }
        Ok(self.known.note(listed))
    }

    async fn tell(&self, ended: Vec<Listed>) {
        if ended.len() > LINES {
            self.ui.tell(&summary(&ended));
            return;
        }
        for Listed { id, status } in ended {
            let line = match self.client.read(&id).await {
                Ok(order) => line(&order),
                Err(_) => format!("order {id} {status}"),
            };
            self.ui.tell(&line);
        }
    }
}

impl Known {
    fn newest(&self) -> Option<&String> {
        self.open.last().max(self.ended.last())
    }

    /// Open orders that the list does not hold, a few in turn.
    fn next_reads(&mut self, listed: &[Listed]) -> Vec<String> {
        let in_list: BTreeSet<&String> = listed.iter().map(|it| &it.id).collect();
        let missing: Vec<&String> = self.open.iter().filter(|id| !in_list.contains(id)).collect();
        let from = missing.partition_point(|id| Some(*id) <= self.read.as_ref());
        let turn = missing.iter().cycle().skip(from).take(READS.min(missing.len()));
        let turn: Vec<String> = turn.map(|id| (*id).clone()).collect();
        self.read = turn.last().cloned();
        turn
    }

    /// Takes in what was seen; answers what has ended and was not told before.
    fn note(&mut self, seen: Vec<Listed>) -> Vec<Listed> {
        let mut news = Vec::new();
        for listed in seen {
            if !matches!(listed.status.as_str(), "completed" | "cancelled") {
                self.open.insert(listed.id);
                continue;
            }
            self.open.remove(&listed.id);
            if self.ended.insert(listed.id.clone()) {
                news.push(listed);
            }
        }
        while self.ended.len() > REMEMBERED {
            self.ended.pop_first();
        }
        news.sort_by(|one, other| one.id.cmp(&other.id));
        news
    }
}

/// What a later version says otherwise is passed over: these lines are a comfort.
fn understood(order: Value) -> Option<Listed> {
    serde_json::from_value(order).ok()
}

/// `order 01a1… cancelled in 44 ms: shipment_failed`
fn line(order: &Order) -> String {
    let took = order.took().map(|took| format!(" in {}", duration::text(took)));
    let reason = order.reason.as_ref().map(|reason| format!(": {reason}"));
    let (took, reason) = (took.unwrap_or_default(), reason.unwrap_or_default());
    format!("order {} {}{took}{reason}", order.id, order.status)
}

/// `137 orders ended: 120 completed, 17 cancelled`
fn summary(ended: &[Listed]) -> String {
    let completed = ended.iter().filter(|it| it.status == "completed").count();
    let cancelled = ended.len() - completed;
    format!("{} orders ended: {completed} completed, {cancelled} cancelled", ended.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listed(id: &str, status: &str) -> Listed {
        Listed { id: id.to_owned(), status: status.to_owned() }
    }

    fn ids(listed: &[Listed]) -> Vec<&str> {
        listed.iter().map(|it| it.id.as_str()).collect()
    }

    #[test]
    fn an_order_that_ends_is_told_once_and_in_the_order_of_placing() {
        let mut known = Known::default();
        known.note(vec![listed("1", "completed"), listed("2", "paid"), listed("3", "placed")]);
        assert_eq!(known.newest().unwrap(), "3");
        let seen =
            vec![listed("3", "cancelled"), listed("2", "completed"), listed("1", "completed")];
        assert_eq!(ids(&known.note(seen)), ["2", "3"]);
        assert!(known.note(vec![listed("2", "completed")]).is_empty());
        assert!(known.open.is_empty());
    }

    #[test]
    fn open_orders_beyond_the_list_are_read_in_turn() {
        let mut known = Known::default();
        known.note((10..50).map(|nth| listed(&nth.to_string(), "reserved")).collect());
        let on_the_list = [listed("49", "reserved")];
        let mut turns: Vec<String> = known.next_reads(&on_the_list);
        assert_eq!((turns.len(), turns[0].as_str()), (READS, "10"));
        turns.extend(known.next_reads(&on_the_list));
        let distinct: BTreeSet<&String> = turns.iter().collect();
        assert_eq!(distinct.len(), 39);
        assert!(!turns.contains(&"49".to_owned()));
    }

    #[test]
    fn a_line_says_how_it_ended_and_after_how_long() {
        let at =
            |event: &str, at: &str| json!({"seq": 1, "event": event, "service": "order", "at": at});
        let timeline = [
            at("OrderPlaced", "2026-01-01T00:00:00.000Z"),
            at("OrderCancelled", "2026-01-01T00:00:00.044Z"),
        ];
        let order = json!({"id": "o", "status": "cancelled", "reason": "shipment_failed", "timeline": timeline});
        let order: Order = serde_json::from_value(order).unwrap();
        assert_eq!(line(&order), "order o cancelled in 44 ms: shipment_failed");
        let ended = [listed("1", "completed"), listed("2", "cancelled"), listed("3", "completed")];
        assert_eq!(summary(&ended), "3 orders ended: 2 completed, 1 cancelled");
    }
}
