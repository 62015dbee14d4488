use std::time::Duration;

use contracts::{
    Address, CancelReason, Currency, Event, EventType, OrderCancellationRequested, OrderCancelled,
    OrderCompleted, OrderId, Sku,
};
use jiff::Timestamp;
use quintet::{
    Contract as _, Input, Rows, StoreError, Tx, What, engine::Emitted, record, store::Json,
    text_field,
};
use uuid::Uuid;

use crate::{Alarm, Command, Customer, End, Entry, Line, Order, OrderService, Out, Product, Stage};

text_field!(Stage, End);
record!(Order in "orders": order_id: OrderId, stage: Stage, requested: Option<CancelReason>,
    cause: Option<CancelReason>, stock_settled: bool, money_settled: bool, ended: Option<End>,
    needs_attention: bool, timeline: Json<Vec<Entry>>, customer: Option<Uuid>;
    fixed total_minor: i64, currency: Currency, items: Json<Vec<Line>>, email: Option<String>,
    address: Option<Json<Address>>, trace_id: Option<String>, trace_span: Option<String>,
    placed_at: Timestamp);
record!(Customer in "customer": customer_id: Uuid, open_orders: i64);
record!(Product in "product": sku: Sku, name: String, price_minor: i64, currency: Currency,
    version: i64);

/// How long an order may take, and how much it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// After this time, the cancellation of an order that is not paid is requested. Until then it keeps its stock
    /// from others.
    pub paid: Duration,
    /// After this time, the cancellation of any order that has not ended is requested.
    pub first: Duration,
    /// The time from the first deadline until the order needs attention.
    pub second: Duration,
    /// The most pieces in a line.
    pub quantity: i64,
    /// The most open orders of a customer. 0 means no limit, and open orders are not counted.
    pub open_orders: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            paid: Duration::from_mins(15),
            first: Duration::from_hours(1),
            second: Duration::from_mins(15),
            quantity: 1_000,
            open_orders: 100,
        }
    }
}

/// The rows that a batch may touch, in the order in which they are locked.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The orders.
    pub orders: Rows<Order>,
    /// The open orders of customers that place an order in this batch, or whose order may end in it.
    pub customers: Rows<Customer>,
    /// The price list.
    pub products: Rows<Product>,
    /// The events that the batch publishes about orders.
    pub said: Vec<(OrderId, EventType)>,
    /// How long an order may take, and how much it may be.
    pub policy: Policy,
}

impl World {
    pub(crate) async fn load(
        tx: &mut Tx,
        inputs: &[&Input<OrderService>],
        policy: Policy,
    ) -> Result<Self, StoreError> {
        let orders = inputs.iter().filter_map(|input| match &input.what {
            What::Command(Command::Place(place)) => Some(place.order_id),
            What::Command(Command::Cancel(cancel)) => Some(cancel.order_id),
            _ => input.aggregate(),
        });
        let orders = Rows::load(tx, orders).await?;
        let customers = inputs.iter().filter_map(|input| customer(input, &orders, policy));
        let customers = Rows::load(tx, customers).await?;
        let products = Rows::load(tx, inputs.iter().flat_map(|input| skus(input))).await?;
        Ok(Self { orders, customers, products, said: Vec::new(), policy })
    }

    pub(crate) async fn save(&self, tx: &mut Tx) -> Result<(), StoreError> {
        self.orders.save(tx).await?;
        self.customers.save(tx).await?;
        self.products.save(tx).await
    }

    /// Adds an event to its order's timeline; false if the event is there already or there is no such order.
    pub(crate) fn log(&mut self, input: &Input<OrderService>, event: &Event) -> bool {
        let entry = Entry { event_id: input.cause.into(), event: event.event_type(), at: input.at };
        let order = event.aggregate().and_then(|id| self.orders.get_mut(&id));
        order.is_some_and(|order| order.enter(entry))
    }

    /// Emits an event about an order and adds it to the timeline.
    pub(crate) fn say(&mut self, event: impl Into<Event>, out: &mut Out) {
        let event = event.into();
        let event_type = event.event_type();
        let order = event.aggregate().and_then(|id| self.orders.get_mut(&id));
        let Emitted { id, at } = out.emit(event);
        if let Some(order) = order {
            order.enter(Entry { event_id: id, event: event_type, at });
            self.said.push((order.order_id, event_type));
        }
    }

    /// Changes an order that has not ended, and ends it as cancelled if nothing is left to undo.
    pub(crate) fn unwind(&mut self, id: OrderId, out: &mut Out, change: impl FnOnce(&mut Order)) {
        let Some(order) = self.open(id) else { return };
        change(order);
        if let Some(cancelled) = order.cancelled_if_settled() {
            self.end(End::Cancelled, cancelled, out);
        }
    }

    /// The order, if it has not ended.
    pub(crate) fn open(&mut self, id: OrderId) -> Option<&mut Order> {
        self.orders.get_mut(&id).filter(|order| order.ended.is_none())
    }

    /// Ends an order: emits the event and clears the order's deadline. Only one of the three can be set.
    pub(crate) fn end(&mut self, end: End, event: impl Into<Event>, out: &mut Out) {
        let event = event.into();
        let Some(order) = event.aggregate().and_then(|id| self.open(id)) else { return };
        order.ended = Some(end);
        order.needs_attention = false;
        let id = order.order_id;
        if let Some(customer) = order.customer.take() {
            self.closed(customer);
        }
        if !quintet::inject_bug!(AlarmsStay) {
            for alarm in [Alarm::PaymentDeadline, Alarm::FirstDeadline, Alarm::SecondDeadline] {
                out.clear_alarm(id, alarm);
            }
        }
        self.say(event, out);
    }

    /// Counts one more open order of a customer; false if the customer already has the most allowed.
    pub(crate) fn opened(&mut self, customer_id: Uuid) -> bool {
        let open_orders =
            self.customers.get(&customer_id).map_or(0, |customer| customer.open_orders);
        let is_allowed = open_orders < self.policy.open_orders;
        if is_allowed {
            self.customers.put(Customer { customer_id, open_orders: open_orders + 1 });
        }
        is_allowed
    }

    /// Counts one open order less for a customer, and forgets the customer after the last one.
    fn closed(&mut self, customer_id: Uuid) {
        match self.customers.get_mut(&customer_id) {
            Some(customer) if customer.open_orders > 1 => customer.open_orders -= 1,
            _ => self.customers.remove(&customer_id),
        }
    }

    /// Requests the cancellation of an order, unless it is already requested or the order is already being cancelled.
    pub(crate) fn request_cancellation(
        &mut self,
        order_id: OrderId,
        reason: CancelReason,
        out: &mut Out,
    ) {
        let order = self.open(order_id);
        let undecided = order.filter(|order| order.requested.is_none() && order.cause.is_none());
        if let Some(order) = undecided {
            order.requested = Some(reason);
            self.say(OrderCancellationRequested { order_id, reason }, out);
        }
    }

    pub(crate) fn complete(&mut self, order_id: OrderId, out: &mut Out) {
        self.end(End::Completed, OrderCompleted { order_id }, out);
    }

    pub(crate) fn cancel(&mut self, order_id: OrderId, reason: CancelReason, out: &mut Out) {
        self.end(End::Cancelled, OrderCancelled { order_id, reason }, out);
    }
}

/// The customer that places this order, or whose order the input may end; none if open orders are not counted.
fn customer(input: &Input<OrderService>, orders: &Rows<Order>, policy: Policy) -> Option<Uuid> {
    match &input.what {
        What::Command(Command::Place(place)) => place.counted(policy),
        What::Event(event) if may_end(event) => {
            let order = orders.get(&event.aggregate()?).filter(|order| order.ended.is_none());
            order?.customer
        }
        _ => None,
    }
}

/// Whether this event may end an order.
fn may_end(event: &Event) -> bool {
    !matches!(
        event,
        Event::ProductListed(_)
            | Event::StockReserved(_)
            | Event::PaymentCaptured(_)
            | Event::NotificationSent(_)
            | Event::NotificationFailed(_)
    )
}

/// The products that an input names.
fn skus(input: &Input<OrderService>) -> Vec<Sku> {
    match &input.what {
        What::Command(Command::Place(place)) => {
            place.items.iter().map(|item| item.sku.clone()).collect()
        }
        What::Event(Event::ProductListed(listed)) => vec![listed.sku.clone()],
        _ => Vec::new(),
    }
}
