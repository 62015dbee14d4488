//! `quintet orders`: lists orders as a table or as JSON.

use crate::names;
use crate::orders::{Attention, Client, Filter};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use clock::{Clock, SystemClock};
use jiff::Timestamp;
use quintet_suite::Session;
use quintet_suite::duration;
use quintet_suite::money::Money;
use quintet_suite::ui::{self, COLUMNS};
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::ExitCode;
use uuid::Uuid;

/// How many orders one request to the order service asks for.
const PAGE: u64 = 100;

#[derive(Debug, Args)]
pub(crate) struct Orders {
    /// Only orders with this status
    #[arg(long)]
    status: Option<OrderStatus>,
    /// Only orders that are so late that a person has to look after them
    #[arg(long)]
    needs_attention: bool,
    /// How many orders at most, the newest first
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

/// The statuses of an order, as `--status` takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OrderStatus {
    /// Accepted
    Placed,
    /// Its stock is reserved
    Reserved,
    /// Its money is captured
    Paid,
    /// It was dispatched
    Completed,
    /// It is being undone
    Cancelling,
    /// It has been undone
    Cancelled,
}

/// The fields of an order that the table shows.
#[derive(Debug, Deserialize)]
struct OrderRow {
    id: Uuid,
    status: String,
    reason: Option<String>,
    total: Money,
    #[serde(default)]
    needs_attention: bool,
    attention: Option<Attention>,
    /// Empty if the order service is of an older version.
    #[serde(default)]
    waiting_for: Vec<String>,
}

impl Orders {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let (suite, api) = session.running_with(names::order()).await?;
        let client = Client::new(&suite, api);
        let (orders, more) = self.collect(&client).await?;
        if session.json {
            ui::result(&json!({ "orders": orders, "more": more }).to_string());
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Result<Vec<OrderRow>, _> =
            orders.into_iter().map(serde_json::from_value).collect();
        let rows = rows.context("cannot read an order of GET /orders; --json shows it")?;
        ui::result(&table(&rows, SystemClock.now()));
        if more {
            ui::result(&format!(
                "and more: `--limit {}` shows them",
                self.limit.saturating_mul(10)
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The orders as JSON, and whether there are more.
    async fn collect(&self, client: &Client) -> Result<(Vec<Value>, bool)> {
        let (mut orders, mut cursor) = (Vec::new(), None::<String>);
        let status =
            self.status.and_then(|status| Some(status.to_possible_value()?.get_name().to_owned()));
        let filter = Filter { status: status.as_deref(), needs_attention: self.needs_attention };
        let wanted = usize::try_from(self.limit).unwrap_or(usize::MAX);
        loop {
            let limit = PAGE.min((wanted - orders.len()) as u64);
            let page = client.list(&filter, limit, cursor.as_deref()).await?;
            orders.extend(page.orders);
            cursor = page.next;
            if cursor.is_none() || orders.len() >= wanted {
                return Ok((orders, cursor.is_some()));
            }
        }
    }
}

/// Each column is as wide as its widest cell. The gaps are narrow if the table would be too wide otherwise.
fn table(orders: &[OrderRow], now: Timestamp) -> String {
    let heads = ["order", "status", "reason", "total", "age", "waits for"].map(str::to_owned);
    let rows = orders.iter().map(|order| order.cells(now));
    let rows: Vec<[String; 6]> = [heads].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 6] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let gap = if widths.iter().sum::<usize>() + 10 <= COLUMNS { "  " } else { " " };
    let line = |row: &[String; 6]| {
        let [order, status, reason, total, age, waits_for] = row;
        let [w0, w1, w2, w3, w4, _] = widths;
        let line = format!(
            "{order:w0$}{gap}{status:w1$}{gap}{reason:w2$}{gap}{total:>w3$}{gap}{age:>w4$}{gap}{waits_for}"
        );
        line.trim_end().to_owned()
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    if orders.is_empty() { "there are no such orders".to_owned() } else { lines.join("\n") }
}

impl OrderRow {
    fn cells(&self, now: Timestamp) -> [String; 6] {
        [
            self.id.to_string(),
            self.status.clone(),
            self.reason.clone().unwrap_or_default(),
            self.total.text(),
            self.placed_at().map(|at| duration::age(now.duration_since(at))).unwrap_or_default(),
            self.waits_for().to_owned(),
        ]
    }

    /// The service whose answer the order needs next; `both` stands for inventory and payment.
    fn waits_for(&self) -> &str {
        match (&self.attention, &self.waiting_for[..]) {
            (Some(attention), _) => attention.word(),
            (None, [service]) => service,
            (None, [_, _, ..]) => "both",
            (None, []) if self.needs_attention => "unknown",
            (None, []) => "",
        }
    }

    /// The time in the order's id, which is a UUID of version 7.
    fn placed_at(&self) -> Option<Timestamp> {
        let (seconds, nanos) = self.id.get_timestamp()?.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(
        status: &str,
        reason: Option<&str>,
        amount_minor: i64,
        waiting_for: &[&str],
    ) -> OrderRow {
        let since = "2026-01-01T00:00:00Z";
        let attention = json!({ "waiting_for": waiting_for, "since": since });
        let attention = (!waiting_for.is_empty()).then_some(attention);
        serde_json::from_value(json!({
            "id": "0193d9a0-0000-7000-8000-000000000001", "status": status, "reason": reason,
            "total": {"amount_minor": amount_minor, "currency": "EUR"},
            "needs_attention": !waiting_for.is_empty(), "attention": attention
        }))
        .unwrap()
    }

    /// One and a half hours after the order was placed.
    fn later(order: &OrderRow) -> Timestamp {
        order.placed_at().unwrap() + jiff::SignedDuration::from_mins(90)
    }

    #[test]
    fn a_row_has_status_reason_total_age_and_the_next_service() {
        let orders = [
            row("completed", None, 1_298, &[]),
            row("cancelling", Some("deadline"), 549, &["inventory", "payment"]),
            row("paid", None, 549, &["shipping"]),
        ];
        let table = table(&orders, later(&orders[0]));
        assert_eq!(
            table.lines().collect::<Vec<_>>(),
            [
                "order                                 status      reason        total  age  waits for",
                "0193d9a0-0000-7000-8000-000000000001  completed             12.98 EUR   1h",
                "0193d9a0-0000-7000-8000-000000000001  cancelling  deadline   5.49 EUR   1h  both",
                "0193d9a0-0000-7000-8000-000000000001  paid                   5.49 EUR   1h  shipping",
            ]
        );
    }

    #[test]
    fn an_open_order_names_the_next_service_also_before_it_is_late() {
        let waits_for = |waiting_for: &[&str]| {
            let mut order = row("reserved", None, 549, &[]);
            order.waiting_for = waiting_for.iter().map(ToString::to_string).collect();
            order.waits_for().to_owned()
        };
        assert_eq!(waits_for(&["payment"]), "payment");
        assert_eq!(waits_for(&["inventory", "payment"]), "both");
        assert_eq!(waits_for(&[]), "");
    }

    #[test]
    fn the_widest_row_fits() {
        let widest = [row("cancelling", Some("customer_request"), 10_i64.pow(15), &["inventory"])];
        for line in table(&widest, later(&widest[0])).lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }

    #[test]
    fn an_empty_list_is_said_in_words() {
        assert_eq!(table(&[], Timestamp::UNIX_EPOCH), "there are no such orders");
    }
}
