//! Orders as a customer sends and reads them.

use contracts::{CancelReason, Money, OrderId, Sku};
use serde::Deserialize;
use serde_json::{Value, json};

/// The body of a `POST /orders`.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOrder(pub Value);

impl NewOrder {
    /// An order of one piece that completes: its payment token and its address are good.
    #[must_use]
    pub fn of(sku: &Sku) -> Self {
        Self(json!({
            "customer": {"email": "ada@example.com"},
            "items": [{"sku": sku, "quantity": 1}],
            "shipping_address": {"name": "Ada", "street": "Ring 1", "city": "Wien",
                "postal_code": "1010", "country": "AT"},
            "payment": {"token": "tok_ok"},
        }))
    }

    /// Orders most of which complete, and some of which are cancelled or delayed in each possible way. One in ten orders
    /// `too_many` pieces, which must be more than the stock.
    #[must_use]
    pub fn mixed(sku: &Sku, count: usize, too_many: i64) -> Vec<Self> {
        let order = || Self::of(sku);
        let kind = |nth| match nth % 10 {
            0 => order().token("tok_declined"),
            1 => order().unreachable(),
            2 => order().token("tok_unknown"),
            3 => order().quantity(too_many),
            4 => order().bouncing(),
            _ => order().quantity(2),
        };
        (0..count).map(kind).collect()
    }

    /// Sets the number of pieces.
    #[must_use]
    pub fn quantity(self, pieces: i64) -> Self {
        self.with("/items/0/quantity", pieces)
    }

    /// Sets the payment token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.with("/payment/token", token)
    }

    /// Sets an address that the carrier refuses.
    #[must_use]
    pub fn unreachable(self) -> Self {
        self.with("/shipping_address/postal_code", "00000")
    }

    /// Sets a mail address that bounces.
    #[must_use]
    pub fn bouncing(self) -> Self {
        self.with("/customer/email", "x@bounce.example")
    }

    /// Sets the value at this JSON Pointer.
    #[must_use]
    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        *self.0.pointer_mut(pointer).expect("a field of an order") = value.into();
        self
    }

    /// Removes the field at this JSON Pointer.
    #[must_use]
    pub fn without(mut self, pointer: &str) -> Self {
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.0.pointer_mut(parent).and_then(Value::as_object_mut);
        parent.and_then(|parent| parent.remove(field)).expect("a field of an order");
        self
    }
}

/// The answer to `GET /orders/{id}`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the fields of the HTTP interface")]
pub struct OrderView {
    pub id: OrderId,
    pub status: String,
    pub cancellation_requested: bool,
    pub reason: Option<CancelReason>,
    pub needs_attention: bool,
    pub attention: Option<Attention>,
    pub total: Money,
    pub timeline: Vec<TimelineEntry>,
}

/// The services that an order past its deadlines waits for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Attention {
    /// The services that have not answered.
    pub waiting_for: Vec<String>,
    /// When they were asked.
    pub since: String,
}

/// An event in an order's timeline.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the fields of the HTTP interface")]
pub struct TimelineEntry {
    pub seq: i64,
    pub event: String,
    pub service: String,
    pub event_id: String,
}

impl OrderView {
    /// Whether the order is completed or cancelled.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "cancelled")
    }

    /// The services that the order waits for, if it is past its deadlines.
    #[must_use]
    pub fn waits_for(&self) -> Vec<&str> {
        let services = self.attention.iter().flat_map(|attention| &attention.waiting_for);
        services.map(String::as_str).collect()
    }

    /// The number of events of this type in the timeline.
    #[must_use]
    pub fn count(&self, event: &str) -> usize {
        self.timeline.iter().filter(|entry| entry.event == event).count()
    }
}
