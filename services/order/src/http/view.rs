use contracts::{CancelReason, EventId, Money, OrderId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Entry, Line, Order};

/// An order as its routes show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderView {
    /// Its id.
    pub id: OrderId,
    /// `placed`, `reserved`, `paid`, `completed`, `cancelling` or `cancelled`.
    pub status: String,
    /// Whether its cancellation was requested. It may still end completed.
    pub cancellation_requested: bool,
    /// Why it comes or came to nothing.
    pub reason: Option<CancelReason>,
    /// Whether it is so late that a person has to look.
    pub needs_attention: bool,
    /// What it costs.
    pub total: Money,
    /// What was ordered.
    pub items: Vec<Line>,
    /// The trace of its placing.
    pub trace_id: Option<String>,
    /// What has happened to it.
    pub timeline: Vec<Happened>,
}

/// An event of an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// Its place in the timeline, from 1.
    pub seq: i64,
    /// Its type.
    pub event: String,
    /// Who said it.
    pub service: String,
    /// When it was said.
    pub at: Timestamp,
    /// Its id.
    pub event_id: EventId,
}

impl From<Entry> for Happened {
    fn from(entry: Entry) -> Self {
        let Entry { event_id, order_id: _, seq, event, service, at } = entry;
        Self { seq, event, service, at, event_id }
    }
}

impl OrderView {
    pub(crate) fn new(order: &Order, timeline: Vec<Entry>) -> Self {
        Self {
            id: order.order_id,
            status: order.status().to_owned(),
            cancellation_requested: order.requested.is_some(),
            reason: order.cause,
            needs_attention: order.needs_attention,
            total: order.total(),
            items: order.items.0.clone(),
            trace_id: order.trace_id.clone(),
            timeline: timeline.into_iter().map(Into::into).collect(),
        }
    }
}
