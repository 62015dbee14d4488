use contracts::{Address, CancelReason, Currency, EventType, Money, OrderCancelled, OrderId, Sku};
use jiff::Timestamp;
use quintet::{EventId, Trace, derived, store::Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An order and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// How far it has come, for display: it never falls and gates nothing.
    pub stage: Stage,
    /// Why its cancellation was requested, if it was. The order may still complete.
    pub requested: Option<CancelReason>,
    /// Why it is being cancelled, if it is: the first cause wins.
    pub cause: Option<CancelReason>,
    /// No stock is reserved for it any more.
    pub stock_settled: bool,
    /// No money is owed for it any more, in either direction.
    pub money_settled: bool,
    /// How it ended.
    pub ended: Option<End>,
    /// It is past its second deadline: an operator has to look.
    pub needs_attention: bool,
    /// Every event about it, in the order in which this service applied them.
    #[serde(skip)]
    pub timeline: Json<Vec<Entry>>,
    /// The customer whose open orders include it, while they are counted: [`Customer::customer_id`].
    #[serde(skip)]
    pub customer: Option<Uuid>,
    /// What it costs, in minor units of the currency.
    pub total_minor: i64,
    /// The prices' currency.
    pub currency: Currency,
    /// What was ordered, at the prices that held when the order was accepted.
    pub items: Json<Vec<Line>>,
    /// The customer's e-mail address. Personal data, so the column can be erased.
    #[serde(skip)]
    pub email: Option<String>,
    /// The shipping address. Personal data, so the column can be erased.
    #[serde(skip)]
    pub address: Option<Json<Address>>,
    /// The trace of the request that placed it.
    pub trace_id: Option<String>,
    /// The span of that request and its flags (sampled or not), as in a `traceparent`: `00f067aa0ba902b7-01`. `None` in
    /// rows of earlier versions.
    pub trace_span: Option<String>,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// The number of open orders of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// [`customer_id`] of the e-mail address.
    pub customer_id: Uuid,
    /// Orders that have not ended.
    pub open_orders: i64,
}

/// The id of a customer: the same for every spelling of one e-mail address. See [`quintet::service::mailbox`].
#[must_use]
pub fn customer_id(email: &str) -> Uuid {
    derived(Uuid::nil(), Uuid::nil(), &quintet::service::mailbox(email), 0)
}

/// An entry of an order's timeline. Stored as an array, because about eight entries make up most of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(EventId, EventType, i64)", try_from = "(EventId, EventType, i64)")]
pub struct Entry {
    /// The event.
    pub event_id: EventId,
    /// Its type.
    pub event: EventType,
    /// When it was published.
    pub at: Timestamp,
}

impl From<Entry> for (EventId, EventType, i64) {
    fn from(entry: Entry) -> Self {
        (entry.event_id, entry.event, entry.at.as_microsecond())
    }
}

impl TryFrom<(EventId, EventType, i64)> for Entry {
    type Error = jiff::Error;

    fn try_from(stored: (EventId, EventType, i64)) -> Result<Self, jiff::Error> {
        let (event_id, event, at) = stored;
        Ok(Self { event_id, event, at: Timestamp::from_microsecond(at)? })
    }
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Line {
    /// The product.
    pub sku: Sku,
    /// How many pieces.
    pub quantity: i64,
    /// The price of one, fixed when the order was accepted.
    pub unit_price: Money,
}

/// How far an order has come on its way forward.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
    /// Accepted.
    Placed,
    /// Its stock is reserved.
    Reserved,
    /// Its money is captured.
    Paid,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted.
    Placed,
    /// Its stock is reserved.
    Reserved,
    /// Its money is captured.
    Paid,
    /// It is on its way.
    Completed,
    /// It is being cancelled: not everything is undone yet.
    Cancelling,
    /// It was cancelled, and everything is undone.
    Cancelled,
}

/// How an order ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum End {
    /// It was dispatched.
    Completed,
    /// It was cancelled, and everything was undone.
    Cancelled,
}

/// An order's deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Alarm {
    /// Requests the order's cancellation.
    FirstDeadline,
    /// Calls for an operator.
    SecondDeadline,
    /// Requests the cancellation of an order that is not paid.
    PaymentDeadline,
}

/// A product in the price list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// What it is called in orders.
    pub sku: Sku,
    /// The name that customers read.
    pub name: String,
    /// The price of one piece, in minor units of the currency.
    pub price_minor: i64,
    /// The price's currency.
    pub currency: Currency,
    /// The version in inventory's event. Events with an older version are ignored.
    pub version: i64,
}

impl Product {
    /// The price of one piece.
    #[must_use]
    pub fn price(&self) -> Money {
        Money { amount_minor: self.price_minor, currency: self.currency }
    }
}

impl Order {
    /// What it costs.
    #[must_use]
    pub fn total(&self) -> Money {
        Money { amount_minor: self.total_minor, currency: self.currency }
    }

    /// The trace of the request that placed it, to be continued; an empty one if it is not known.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let parent = self.trace_id.as_ref().zip(self.trace_span.as_ref());
        let parent = parent.map(|(trace, span)| format!("00-{trace}-{span}"));
        Trace::parse(parent.as_deref(), None)
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.ended, self.cause, self.stage) {
            (Some(End::Completed), _, _) => Status::Completed,
            (Some(End::Cancelled), _, _) => Status::Cancelled,
            (None, Some(_), _) => Status::Cancelling,
            (None, None, Stage::Placed) => Status::Placed,
            (None, None, Stage::Reserved) => Status::Reserved,
            (None, None, Stage::Paid) => Status::Paid,
        }
    }

    /// Records the trace of the request that placed it.
    pub(crate) fn placed_in(&mut self, trace: &Trace) {
        // A traceparent is version-trace-span-flags.
        const SPAN: usize = "00-".len() + 32 + "-".len();
        let span = trace.traceparent.as_deref().and_then(|parent| parent.get(SPAN..SPAN + 19));
        self.trace_id = trace.trace_id().map(ToOwned::to_owned);
        self.trace_span = span.filter(|_| self.trace_id.is_some()).map(ToOwned::to_owned);
    }

    /// Adds an event to its timeline; false if the event is there already.
    pub(crate) fn enter(&mut self, entry: Entry) -> bool {
        let timeline = &mut self.timeline.0;
        let new = timeline.iter().all(|known| known.event_id != entry.event_id);
        if new {
            timeline.push(entry);
        }
        new
    }

    /// Advances it to this stage. A stage never goes back.
    pub(crate) fn reached(&mut self, stage: Stage) {
        self.stage = self.stage.max(stage);
    }

    /// Records why it is being cancelled. The first cause wins.
    pub(crate) fn caused_by(&mut self, cause: CancelReason) {
        self.cause.get_or_insert(cause);
    }

    /// The event that ends it as cancelled, once the cause is known and both stock and money are settled.
    pub(crate) fn cancelled_if_settled(&self) -> Option<OrderCancelled> {
        let reason = self.cause.filter(|_| self.stock_settled && self.money_settled)?;
        Some(OrderCancelled { order_id: self.order_id, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            order_id: uuid::Uuid::from_u128(1).into(),
            stage: Stage::Placed,
            requested: None,
            cause: None,
            stock_settled: false,
            money_settled: false,
            ended: None,
            needs_attention: false,
            timeline: Json(Vec::new()),
            customer: None,
            total_minor: 1,
            currency: Currency::EUR,
            items: Json(Vec::new()),
            email: None,
            address: None,
            trace_id: None,
            trace_span: None,
            placed_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_order_continues_the_trace_of_the_request_that_placed_it() {
        let mut order = order();
        assert_eq!(order.trace(), Trace::default());
        for sampled in [false, true] {
            let trace = Trace::root([0xab; 16], [0xcd; 8], sampled);
            order.placed_in(&trace);
            assert_eq!(
                (order.trace_id.as_deref(), order.trace()),
                (trace.trace_id(), trace.clone())
            );
        }
        order.trace_span = None;
        assert_eq!(order.trace(), Trace::default(), "a row of an earlier version");
        order.placed_in(&Trace::default());
        assert_eq!((order.trace_id, order.trace_span), (None, None));
    }
}
