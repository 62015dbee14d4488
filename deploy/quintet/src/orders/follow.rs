//! Telling an order's timeline as it grows.

use super::client::{Client, Entry, Order};
use super::events;
use anyhow::Result;
use clock::{Clock, SystemClock};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use quintet_suite::duration;
use quintet_suite::ui;
use serde_json::json;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, interval};

/// How often the order itself is read: that it needs attention is no event.
const LOOK: Duration = Duration::from_secs(1);
/// How long an order that has ended may be waited for until both its mails are told.
const MAILS_WITHIN: Duration = Duration::from_secs(10);
/// A mail says that it is placed, another how it ended.
const MAILS: u8 = 2;

/// Where an order stands that is followed no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It has ended.
    ToItsEnd,
    /// It waits for an operator.
    UntilStuck,
}

/// How to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A line an event, and how it ended.
    Text,
    /// The same as JSON, an object a line.
    Lines,
    /// The order as it ended, as JSON.
    End,
}

/// An order to be followed.
#[derive(Debug)]
pub(crate) struct Follow<'a> {
    pub(crate) client: &'a Client,
    pub(crate) show: Show,
    /// Ends as well when nothing goes on without an operator.
    pub(crate) until_stuck: bool,
}

/// What was told so far.
#[derive(Debug, Default)]
struct Told {
    placed_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    ended: Option<Instant>,
    mails: u8,
    needs_attention: bool,
    refund_refused: bool,
}

impl Follow<'_> {
    /// Tells what has happened and happens, until the order has ended and its mails are told.
    ///
    /// # Errors
    /// When the order can no longer be read.
    pub(crate) async fn run(&self, order: &Order) -> Result<Followed> {
        let mut events = pin!(events::of(self.client, &order.id));
        let (mut told, mut look) = (Told::default(), interval(LOOK));
        if self.show == Show::Text {
            ui::result(HEADINGS);
        }
        loop {
            tokio::select! {
                Some(entry) = events.next() => {
                    self.tell(order, &entry?, &mut told);
                    if told.is_all() {
                        break;
                    }
                }
                _ = look.tick() => {
                    let now = self.client.read(&order.id).await?;
                    self.attention(&now, &mut told).await;
                    if (told.is_stuck() && self.until_stuck) || told.ended.is_some_and(|ended| ended.elapsed() >= MAILS_WITHIN) {
                        break;
                    }
                }
            }
        }
        let order = self.client.read(&order.id).await?;
        self.conclude(&order, &told);
        let stuck = told.is_stuck() && !order.has_ended();
        Ok(if stuck { Followed::UntilStuck } else { Followed::ToItsEnd })
    }

    fn tell(&self, order: &Order, entry: &Entry, told: &mut Told) {
        let (since, step) = told.add(entry);
        match self.show {
            Show::Text => ui::result(&line(entry, since, step)),
            Show::Lines => {
                let mut line = json!(entry);
                line["order_id"] = json!(order.id);
                line["trace_id"] = json!(order.trace_id);
                line["since_placed_seconds"] = json!(since.as_secs_f64());
                line["step_seconds"] = json!(step.map(|step| step.as_secs_f64()));
                ui::result(&line.to_string());
            }
            Show::End => {}
        }
    }

    /// Says once that a person has to look, and what to do.
    async fn attention(&self, order: &Order, told: &mut Told) {
        let refused = self.client.is_refund_refused(order).await;
        if order.needs_attention && !told.needs_attention && self.show == Show::Text {
            let why = match &order.attention {
                Some(attention) => attention.sentence(SystemClock.now()),
                None => "it is past its deadlines".to_owned(),
            };
            ui::result(&format!("  needs attention: {why}"));
        }
        if refused && !told.refund_refused && self.show == Show::Text {
            ui::result("  payment waits for an operator: the provider refused the refund.");
            ui::result("  Settle it with the provider, then have payment ask again:");
            ui::result(&format!("  {}", self.client.refund_again(&order.id)));
        }
        (told.needs_attention, told.refund_refused) = (order.needs_attention, refused);
    }

    fn conclude(&self, order: &Order, told: &Told) {
        match self.show {
            Show::Text => {
                ui::result(&verdict(order, told));
                if order.has_ended() && told.mails < MAILS {
                    ui::result("not all of its mails are sent yet");
                }
            }
            Show::Lines => {
                let seconds = order.took().map(|took| took.as_secs_f64());
                let end = json!({
                    "order_id": order.id, "trace_id": order.trace_id, "status": order.status,
                    "reason": order.reason, "needs_attention": order.needs_attention,
                    "attention": order.json["attention"],
                    "took_seconds": seconds, "mails_told": told.mails
                });
                ui::result(&end.to_string());
            }
            Show::End => ui::result(&order.json.to_string()),
        }
    }
}

impl Told {
    /// The time since the order was placed, and since the entry before.
    fn add(&mut self, entry: &Entry) -> (SignedDuration, Option<SignedDuration>) {
        let placed_at = *self.placed_at.get_or_insert(entry.at);
        // Negative where an event was said earlier than the one before, and seen later.
        let step = self.last_at.replace(entry.at).map(|last| entry.at.duration_since(last));
        if entry.is_end() {
            self.ended = Some(Instant::now());
        }
        if entry.event.starts_with("Notification") {
            self.mails += 1;
        }
        (entry.at.duration_since(placed_at), step)
    }

    /// Whether nothing goes on without an operator.
    const fn is_stuck(&self) -> bool {
        self.needs_attention || self.refund_refused
    }

    fn is_all(&self) -> bool {
        self.ended.is_some() && self.mails >= MAILS
    }
}

const HEADINGS: &str = "       since placed     since last  event                       service";

fn line(entry: &Entry, since: SignedDuration, step: Option<SignedDuration>) -> String {
    let step = step.map(duration::since).unwrap_or_default();
    let since = duration::since(since);
    format!("  {:>2}{since:>15}{step:>15}  {:<27} {}", entry.seq, entry.event, entry.service)
}

/// How it ended and why, or where it stands.
fn verdict(order: &Order, told: &Told) -> String {
    let took = order.took().map(|took| format!(" in {}", duration::text(took)));
    let took = took.unwrap_or_default();
    let reason = order.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let attention = match (order.needs_attention, told.refund_refused && !order.has_ended()) {
        (true, _) => ", needs attention",
        (false, true) => ", waits for an operator",
        (false, false) => "",
    };
    format!("{}{attention}{took}{reason}", order.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: i64, event: &str, at: &str) -> Entry {
        let at = format!("2026-01-01T00:00:0{at}Z");
        let json = json!({"seq": seq, "event": event, "service": "order", "at": at});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_line_says_how_long_it_took_since_the_first_and_since_the_last() {
        let mut told = Told::default();
        let mut tell = |entry: Entry| {
            let (since, step) = told.add(&entry);
            line(&entry, since, step)
        };
        let lines = [
            tell(entry(1, "OrderPlaced", "0")),
            tell(entry(2, "StockRejected", "0.012")),
            tell(entry(3, "OrderCancelled", "1.5")),
            tell(entry(4, "NotificationSent", "0.010")),
        ];
        assert_eq!(
            lines,
            [
                "   1          +0 ms                 OrderPlaced                 order",
                "   2         +12 ms         +12 ms  StockRejected               order",
                "   3         +1.5 s        +1.48 s  OrderCancelled              order",
                "   4         +10 ms        -1.49 s  NotificationSent            order",
            ]
        );
        assert!(HEADINGS.len() <= 100);
    }

    #[test]
    fn it_is_over_with_the_end_and_both_mails_in_whatever_order() {
        let events = ["OrderPlaced", "NotificationFailed", "NotificationSent", "OrderCompleted"];
        let mut told = Told::default();
        for (seq, event) in (1..).zip(events) {
            assert!(!told.is_all());
            told.add(&entry(seq, event, "0"));
        }
        assert!(told.is_all());
    }

    #[test]
    fn the_last_line_says_how_and_why_it_ended() {
        let order = |status: &str, reason: Option<&str>| -> Order {
            let timeline = [entry(1, "OrderPlaced", "0"), entry(2, "OrderCancelled", "0.034")]
                .map(|it| json!(it));
            serde_json::from_value(json!({
                "id": "o1", "status": status, "reason": reason, "timeline": timeline
            }))
            .unwrap()
        };
        let cancelled = order("cancelled", Some("out_of_stock"));
        assert_eq!(verdict(&cancelled, &Told::default()), "cancelled in 34 ms: out_of_stock");
        assert_eq!(verdict(&order("completed", None), &Told::default()), "completed in 34 ms");
    }
}
