use contracts::{CancelReason, Money, OrderId};
use jiff::Timestamp;
use quintet::{EventId, EventType as _};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Attention, Entry, Line, Order, Side, Status};

/// An order with its timeline.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    /// The order.
    #[serde(flatten)]
    pub order: Summary,
    /// Every event about it, oldest first.
    pub timeline: Vec<Happened>,
}

/// An order as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OrderSummary)]
pub struct Summary {
    /// Its id, a UUIDv7.
    pub id: OrderId,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// How far it has come.
    pub status: Status,
    /// Whether its cancellation was requested. It may still complete.
    pub cancellation_requested: bool,
    /// Why it is being or was cancelled; null otherwise.
    pub reason: Option<CancelReason>,
    /// The services whose answers it needs next; empty once it has ended.
    #[schema(required = false)]
    pub waiting_for: Vec<Side>,
    /// Whether it is so late that an operator has to look.
    pub needs_attention: bool,
    /// If so, the services that it waits for, and since when; null otherwise.
    pub attention: Option<Attention>,
    /// What it costs.
    pub total: Money,
    /// What was ordered.
    pub items: Vec<Line>,
    /// The trace of the request that placed it.
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: Option<String>,
}

/// An event of an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub struct Happened {
    /// Its position in the timeline, from 1.
    #[schema(minimum = 1, example = 1)]
    pub seq: i64,
    /// Its type.
    #[schema(example = "OrderPlaced")]
    pub event: String,
    /// The service that published it.
    #[schema(example = "order")]
    pub service: String,
    /// When it was published.
    pub at: Timestamp,
    /// Its id.
    pub event_id: EventId,
}

impl Happened {
    /// The entries of a timeline, without the first `read`.
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
            placed_at: order.placed_at,
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
