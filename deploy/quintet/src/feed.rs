//! The lines that `quintet up` prints while orders flow: one for each order that ends.
//!
//! The launcher polls the list of the newest orders, as any client could. An order that was open and has left the list is
//! read by its id. A suite at rest costs one small request every two seconds.

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

/// The pause between two polls while orders end. It doubles, up to the longest, while none does.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(2);
/// If more orders than this end between two polls, one line sums them up.
const LINES: usize = 10;
/// How many orders a page of the list has.
const PAGE: u64 = 200;
/// How many pages one poll reads at most.
const PAGES: usize = 20;
/// How many orders one poll reads by their ids at most.
const READS: usize = 20;
/// How many ended orders are remembered, so that none is printed twice.
const REMEMBERED: usize = 2_000;

/// Prints a line for each order that ends.
#[derive(Debug)]
pub(crate) struct Feed {
    client: Client,
    ui: Ui,
    known: KnownOrders,
}

/// The ids of the orders that were seen. Ids grow with time, so a set of them is in the order of placing.
#[derive(Debug, Default)]
struct KnownOrders {
    open: BTreeSet<String>,
    ended: BTreeSet<String>,
    /// The last order that was read by its id. The next poll continues after it.
    last_read: Option<String>,
}

/// The fields of a listed order that the feed needs.
#[derive(Debug, Deserialize)]
struct ListedOrder {
    id: String,
    status: String,
}

impl Feed {
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub(crate) fn of(suite: &Suite, ui: &Ui) -> Result<Self> {
        let client = Client::patient(suite, Api::untraced()?, Duration::ZERO);
        Ok(Self { client, ui: ui.clone(), known: KnownOrders::default() })
    }

    /// Prints the orders that end from now on, until this future is dropped.
    pub(crate) async fn run(mut self) {
        // The first poll only notes the orders that have ended before. It is repeated while the order service is down.
        while self.poll().await.is_err() {
            sleep(LONGEST).await;
        }
        let mut pause = SHORTEST;
        loop {
            sleep(pause).await;
            let ended = self.poll().await.unwrap_or_default();
            pause = if ended.is_empty() { (pause * 2).min(LONGEST) } else { SHORTEST };
            self.print(ended).await;
        }
    }

    /// Returns the orders that have ended since the last poll.
    async fn poll(&mut self) -> Result<Vec<ListedOrder>, http::Error> {
        let newest = self.known.newest().cloned();
        let (mut listed, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let page = self.client.list(&Filter::default(), PAGE, cursor.as_deref()).await?;
            let orders: Vec<ListedOrder> =
                page.orders.into_iter().filter_map(parse_listed).collect();
            let reached_known_orders =
                newest.is_none() || orders.iter().any(|it| Some(&it.id) <= newest.as_ref());
            listed.extend(orders);
            cursor = page.next;
            if reached_known_orders || cursor.is_none() {
                break;
            }
        }
        for id in self.known.next_reads(&listed) {
            // An order that cannot be read now is read by a later poll, because it stays known as open.
            if let Ok(order) = self.client.read(&id).await {
                listed.push(ListedOrder { id: order.id, status: order.status });
            }
        }
        Ok(self.known.note(listed))
    }

    async fn print(&self, ended: Vec<ListedOrder>) {
        if ended.len() > LINES {
            self.ui.tell(&summary(&ended));
            return;
        }
        for ListedOrder { id, status } in ended {
            let line = match self.client.read(&id).await {
                Ok(order) => line(&order),
                Err(_) => format!("order {id} {status}"),
            };
            self.ui.tell(&line);
        }
    }
}

impl KnownOrders {
    fn newest(&self) -> Option<&String> {
        self.open.last().max(self.ended.last())
    }

    /// The open orders to read by their ids: some of those that are not listed. Each call continues where the last one ended
    /// and begins anew after the last order.
    fn next_reads(&mut self, listed: &[ListedOrder]) -> Vec<String> {
        let listed: BTreeSet<&String> = listed.iter().map(|order| &order.id).collect();
        let unlisted: Vec<&String> = self.open.iter().filter(|id| !listed.contains(id)).collect();
        let from = unlisted.partition_point(|id| Some(*id) <= self.last_read.as_ref());
        let next = unlisted.iter().cycle().skip(from).take(READS.min(unlisted.len()));
        let next: Vec<String> = next.map(|id| (*id).clone()).collect();
        self.last_read = next.last().cloned();
        next
    }

    /// Notes the statuses of orders, and returns those that were not known to have ended, in the order of placing.
    fn note(&mut self, orders: Vec<ListedOrder>) -> Vec<ListedOrder> {
        let mut newly_ended = Vec::new();
        for order in orders {
            if !matches!(order.status.as_str(), "completed" | "cancelled") {
                self.open.insert(order.id);
                continue;
            }
            self.open.remove(&order.id);
            if self.ended.insert(order.id.clone()) {
                newly_ended.push(order);
            }
        }
        while self.ended.len() > REMEMBERED {
            self.ended.pop_first();
        }
        newly_ended.sort_by(|one, other| one.id.cmp(&other.id));
        newly_ended
    }
}

/// `None` if a later version of the order service lists orders otherwise. The feed is only a convenience, so such an order is
/// left out without an error.
fn parse_listed(order: Value) -> Option<ListedOrder> {
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
fn summary(ended: &[ListedOrder]) -> String {
    let completed = ended.iter().filter(|order| order.status == "completed").count();
    let cancelled = ended.len() - completed;
    format!("{} orders ended: {completed} completed, {cancelled} cancelled", ended.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listed(id: &str, status: &str) -> ListedOrder {
        ListedOrder { id: id.to_owned(), status: status.to_owned() }
    }

    fn ids(orders: &[ListedOrder]) -> Vec<&str> {
        orders.iter().map(|order| order.id.as_str()).collect()
    }

    #[test]
    fn each_ended_order_is_returned_once_and_in_the_order_of_placing() {
        let mut known = KnownOrders::default();
        known.note(vec![listed("1", "completed"), listed("2", "paid"), listed("3", "placed")]);
        assert_eq!(known.newest().unwrap(), "3");
        let next =
            vec![listed("3", "cancelled"), listed("2", "completed"), listed("1", "completed")];
        assert_eq!(ids(&known.note(next)), ["2", "3"]);
        assert!(known.note(vec![listed("2", "completed")]).is_empty());
        assert!(known.open.is_empty());
    }

    #[test]
    fn unlisted_open_orders_are_read_in_turn() {
        let mut known = KnownOrders::default();
        known.note((10..50).map(|nth| listed(&nth.to_string(), "reserved")).collect());
        let still_listed = [listed("49", "reserved")];
        let mut reads: Vec<String> = known.next_reads(&still_listed);
        assert_eq!((reads.len(), reads[0].as_str()), (READS, "10"));
        reads.extend(known.next_reads(&still_listed));
        let distinct: BTreeSet<&String> = reads.iter().collect();
        assert_eq!(distinct.len(), 39);
        assert!(!reads.contains(&"49".to_owned()));
    }

    #[test]
    fn a_line_has_the_status_the_time_and_the_reason() {
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
