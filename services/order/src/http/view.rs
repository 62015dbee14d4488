use contracts::{CancelReason, Money, OrderId};
use jiff::Timestamp;
use quintet::{EventId, EventType as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Attention, Entry, Line, Order, Side, Status};

/// An order with its timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    /// The order.
    #[serde(flatten)]
    pub order: Summary,
    /// What has happened to it.
    pub timeline: Vec<Happened>,
}

/// An order as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderSummary)]
pub struct Summary {
    /// Its id, a UUIDv7.
    pub id: OrderId,
    /// When it was placed.
    #[serde(default)]
    #[schema(value_type = Timestamp, required)]
    pub placed_at: Option<Timestamp>,
    /// Where it stands.
    pub status: Status,
    /// Whether its cancellation was requested. It may still end completed.
    pub cancellation_requested: bool,
    /// Why it comes or came to nothing.
    pub reason: Option<CancelReason>,
    /// The services whose answer it needs next; empty once it has ended.
    #[serde(default)]
    pub waiting_for: Vec<Side>,
    /// Whether it is so late that a person has to look.
    pub needs_attention: bool,
    /// Whom it waits for then, and since when; null otherwise.
    #[serde(default)]
    pub attention: Option<Attention>,
    /// What it costs.
    pub total: Money,
    /// What was ordered.
    pub items: Vec<Line>,
    /// The trace of its placing.
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: Option<String>,
}

/// An event of an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub struct Happened {
    /// Its place in the timeline, from 1.
    #[schema(minimum = 1, example = 1)]
    pub seq: i64,
    /// Its type.
    #[schema(example = "OrderPlaced")]
    pub event: String,
    /// Who said it.
    #[schema(example = "order")]
    pub service: String,
    /// When it was said.
    pub at: Timestamp,
    /// Its id.
    pub event_id: EventId,
}

impl Happened {
    /// The entries of a timeline after the first `read`.
    pub(crate) fn after(read: usize, timeline: &[Entry]) -> impl Iterator<Item = Self> {
        let numbered = (1..).zip(timeline).skip(read);
        numbered.map(|(seq, &Entry { event_id, event, at })| Self {
            seq,
            event: event.to_string(),
            service: event.publisher().to_owned(),
            at,
            event_id,
        })
    }
}

impl From<&Order> for Summary {
    fn from(order: &Order) -> Self {
        Self {
            id: order.order_id,
            placed_at: Some(order.placed_at),
            status: order.status(),
            cancellation_requested: order.requested.is_some(),
            reason: order.cause,
            waiting_for: order.waiting_for(),
            needs_attention: order.needs_attention,
            attention: order.attention(),
            total: order.total(),
            items: order.items.0.clone(),
            trace_id: order.trace_id.clone(),
        }
    }
}

impl From<&Order> for OrderView {
    fn from(order: &Order) -> Self {
        Self { order: order.into(), timeline: Happened::after(0, &order.timeline.0).collect() }
    }
}

impl OrderView {
    /// An answer that was stored under an idempotency key by a version whose orders had no `placed_at`
    /// has nearly the same time in its first entry.
    pub(super) fn complete(&mut self) {
        let placed = self.timeline.first().map(|entry| entry.at);
        self.order.placed_at = self.order.placed_at.or(placed);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_that_an_earlier_version_has_stored_says_when_the_order_was_placed() {
        let at = "2026-11-21T11:40:52.6504Z";
        let id = "01a1fde8-c42a-73f5-96da-6e816ab97e8a";
        let stored = json!({
            "id": id, "status": "placed", "cancellation_requested": false, "reason": null,
            "needs_attention": false, "total": { "amount_minor": 1298, "currency": "EUR" },
            "items": [], "trace_id": null,
            "timeline": [{ "seq": 1, "event": "OrderPlaced", "service": "order", "at": at,
                "event_id": id }],
        });
        let mut view: OrderView = serde_json::from_value(stored).unwrap();
        view.complete();
        assert_eq!(view.order.placed_at, Some(at.parse().unwrap()));
    }
}
