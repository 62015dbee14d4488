//! Follows an order: prints each event of its timeline, until it has ended and its mails are sent.

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

/// How often the order itself is read, because no event says that it needs attention.
const LOOK: Duration = Duration::from_secs(1);
/// How long after its end an order is followed until its mails are sent.
const MAILS_WITHIN: Duration = Duration::from_secs(10);
/// The number of an order's mails: one when it is placed, one when it has ended.
const MAILS: u8 = 2;

/// Why an order is no longer followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It has ended.
    ToItsEnd,
    /// It waits for an operator.
    UntilStuck,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A line of text for each event, and one for the end.
    Text,
    /// A JSON object for each event, and one for the end, each on a line.
    Lines,
    /// The ended order as JSON.
    End,
}

/// How to follow an order.
#[derive(Debug)]
pub(crate) struct Follow<'a> {
    pub(crate) client: &'a Client,
    pub(crate) show: Show,
    /// Stops also when the order waits for an operator.
    pub(crate) until_stuck: bool,
}

/// What has been printed of an order.
#[derive(Debug, Default)]
struct Shown {
    placed_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    /// When the order's end was printed.
    ended: Option<Instant>,
    mails: u8,
    needs_attention: bool,
    refund_refused: bool,
}

impl Follow<'_> {
    /// Prints the order's events until it has ended and its mails are sent.
    ///
    /// # Errors
    /// When the order can no longer be read.
    pub(crate) async fn run(&self, order: &Order) -> Result<Followed> {
        let mut events = pin!(events::of(self.client, &order.id));
        let (mut shown, mut look) = (Shown::default(), interval(LOOK));
        if self.show == Show::Text {
            ui::result(HEADINGS);
        }
        loop {
            tokio::select! {
                Some(entry) = events.next() => {
                    self.print_entry(order, &entry?, &mut shown);
                    if shown.is_complete() {
                        break;
                    }
                }
                _ = look.tick() => {
                    let now = self.client.read(&order.id).await?;
                    self.print_attention(&now, &mut shown).await;
                    if (shown.is_stuck() && self.until_stuck) || shown.mails_are_late() {
                        break;
                    }
                }
            }
        }
        let order = self.client.read(&order.id).await?;
        self.print_end(&order, &shown);
        let stuck = shown.is_stuck() && !order.has_ended();
        Ok(if stuck { Followed::UntilStuck } else { Followed::ToItsEnd })
    }

    fn print_entry(&self, order: &Order, entry: &Entry, shown: &mut Shown) {
        let (since, step) = shown.add(entry);
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

    /// Prints once that the order needs attention, and once that its refund was refused, with what to do.
    async fn print_attention(&self, order: &Order, shown: &mut Shown) {
        let refused = self.client.is_refund_refused(order).await;
        if order.needs_attention && !shown.needs_attention && self.show == Show::Text {
            let why = match &order.attention {
                Some(attention) => attention.sentence(SystemClock.now()),
                None => "it is past its deadlines".to_owned(),
            };
            ui::result(&format!("  needs attention: {why}"));
        }
        if refused && !shown.refund_refused && self.show == Show::Text {
            ui::result("  payment waits for an operator: the provider refused the refund.");
            ui::result("  Settle it with the provider, then have payment ask again:");
            ui::result(&format!("  {}", self.client.refund_command(&order.id)));
        }
        (shown.needs_attention, shown.refund_refused) = (order.needs_attention, refused);
    }

    fn print_end(&self, order: &Order, shown: &Shown) {
        match self.show {
            Show::Text => {
                ui::result(&end(order, shown));
                if order.has_ended() && shown.mails < MAILS {
                    ui::result("not all of its mails are sent yet");
                }
            }
            Show::Lines => {
                let seconds = order.took().map(|took| took.as_secs_f64());
                let end = json!({
                    "order_id": order.id, "trace_id": order.trace_id, "status": order.status,
                    "reason": order.reason, "needs_attention": order.needs_attention,
                    "attention": order.json["attention"],
                    "took_seconds": seconds, "mails_sent": shown.mails
                });
                ui::result(&end.to_string());
            }
            Show::End => ui::result(&order.json.to_string()),
        }
    }
}

impl Shown {
    /// Notes an entry. Returns the time since the order was placed, and the time since the entry before.
    fn add(&mut self, entry: &Entry) -> (SignedDuration, Option<SignedDuration>) {
        let placed_at = *self.placed_at.get_or_insert(entry.at);
        // The step is negative if the event happened before the one that the order service received before it.
        let step = self.last_at.replace(entry.at).map(|last| entry.at.duration_since(last));
        if entry.is_end() {
            self.ended = Some(Instant::now());
        }
        if entry.event.starts_with("Notification") {
            self.mails += 1;
        }
        (entry.at.duration_since(placed_at), step)
    }

    /// Whether the order waits for an operator.
    const fn is_stuck(&self) -> bool {
        self.needs_attention || self.refund_refused
    }

    fn is_complete(&self) -> bool {
        self.ended.is_some() && self.mails >= MAILS
    }

    fn mails_are_late(&self) -> bool {
        self.ended.is_some_and(|ended| ended.elapsed() >= MAILS_WITHIN)
    }
}

const HEADINGS: &str = "       since placed     since last  event                       service";

fn line(entry: &Entry, since: SignedDuration, step: Option<SignedDuration>) -> String {
    let step = step.map(duration::since).unwrap_or_default();
    let since = duration::since(since);
    format!("  {:>2}{since:>15}{step:>15}  {:<27} {}", entry.seq, entry.event, entry.service)
}

/// The last line: the order's status, how long it took, and the reason of a cancellation.
fn end(order: &Order, shown: &Shown) -> String {
    let took = order.took().map(|took| format!(" in {}", duration::text(took)));
    let took = took.unwrap_or_default();
    let reason = order.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let attention = match (order.needs_attention, shown.refund_refused && !order.has_ended()) {
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
    fn a_line_has_the_time_since_the_first_entry_and_since_the_last() {
        let mut shown = Shown::default();
        let mut show = |entry: Entry| {
            let (since, step) = shown.add(&entry);
            line(&entry, since, step)
        };
        let lines = [
            show(entry(1, "OrderPlaced", "0")),
            show(entry(2, "StockRejected", "0.012")),
            show(entry(3, "OrderCancelled", "1.5")),
            show(entry(4, "NotificationSent", "0.010")),
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
    fn a_timeline_is_complete_with_its_end_and_two_mails_in_any_order() {
        let events = ["OrderPlaced", "NotificationFailed", "NotificationSent", "OrderCompleted"];
        let mut shown = Shown::default();
        for (seq, event) in (1..).zip(events) {
            assert!(!shown.is_complete());
            shown.add(&entry(seq, event, "0"));
        }
        assert!(shown.is_complete());
    }

    #[test]
    fn the_last_line_has_the_status_the_time_and_the_reason() {
        let order = |status: &str, reason: Option<&str>| -> Order {
            let timeline = [entry(1, "OrderPlaced", "0"), entry(2, "OrderCancelled", "0.034")]
                .map(|it| json!(it));
            serde_json::from_value(json!({
                "id": "o1", "status": status, "reason": reason, "timeline": timeline
            }))
            .unwrap()
        };
        let cancelled = order("cancelled", Some("out_of_stock"));
        assert_eq!(end(&cancelled, &Shown::default()), "cancelled in 34 ms: out_of_stock");
        assert_eq!(end(&order("completed", None), &Shown::default()), "completed in 34 ms");
    }
}
