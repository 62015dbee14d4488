//! Shared by the tests of the reactions: inputs about one order, and rows that do not exist yet.

use contracts::{
    Address, CancelReason, Currency, Customer, Event, Item, Money, OrderCancellationRequested,
    OrderCancelled, OrderId, OrderPlaced, PaymentCaptured, PaymentMethod,
};
use quintet::{Rows, What};
use quintet_test::{histories, react};
use uuid::Uuid;

pub(crate) use quintet_test::{assert_ignored, assert_repeat_ignored};

use crate::{Book, BookAnswer, Shipment, ShippingService, State, World};

/// An input of the shipping service.
pub(crate) type Incoming = What<ShippingService>;

/// Everything that follows from inputs, except the changed row. The shipping service has no commands and no alarms.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Applied {
    pub(crate) events: Vec<Event>,
    pub(crate) requests: Vec<Book>,
}

impl Applied {
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn event(event: impl Into<Event>) -> Self {
        Self { events: vec![event.into()], ..Self::default() }
    }

    pub(crate) fn request(effect: Book) -> Self {
        Self { requests: vec![effect], ..Self::default() }
    }
}

/// The row after all inputs of a story, and everything that followed from them.
#[derive(Debug, PartialEq)]
pub(crate) struct Ending {
    pub(crate) shipment: Option<Shipment>,
    pub(crate) followed: Applied,
}

pub(crate) fn order_id() -> OrderId {
    Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001).into()
}

pub(crate) fn address() -> Address {
    let text = String::from;
    Address {
        name: text("Clara Wieck"),
        street: text("Inselstraße 18"),
        city: text("Leipzig"),
        postal_code: text("04103"),
        country: text("DE"),
    }
}

pub(crate) fn items() -> Vec<Item> {
    let item = |sku: &str, quantity| Item { sku: sku.parse().expect("a SKU"), quantity };
    vec![item("mug", 2), item("pot", 1)]
}

fn total() -> Money {
    Money { amount_minor: 1597, currency: Currency::EUR }
}

pub(crate) fn placed() -> Incoming {
    What::Event(Event::OrderPlaced(OrderPlaced {
        order_id: order_id(),
        customer: Customer { email: "clara@example.org".into() },
        items: items(),
        shipping_address: address(),
        payment: PaymentMethod { token: "tok_ok".into() },
        total: total(),
    }))
}

pub(crate) fn captured() -> Incoming {
    let (order_id, reference) = (order_id(), "ch_1".into());
    What::Event(Event::PaymentCaptured(PaymentCaptured { order_id, amount: total(), reference }))
}

pub(crate) fn cancellation_requested() -> Incoming {
    let (order_id, reason) = (order_id(), CancelReason::CustomerRequest);
    let requested = OrderCancellationRequested { order_id, reason };
    What::Event(Event::OrderCancellationRequested(requested))
}

pub(crate) fn cancelled() -> Incoming {
    let reason = CancelReason::OutOfStock;
    What::Event(Event::OrderCancelled(OrderCancelled { order_id: order_id(), reason }))
}

pub(crate) fn booked() -> Incoming {
    What::Outcome(order_id(), BookAnswer::Booked { tracking: "JD014600".into() })
}

pub(crate) fn refused() -> Incoming {
    What::Outcome(order_id(), BookAnswer::Refused { reason: "address unknown".into() })
}

/// The request to take the parcel of [`placed`].
pub(crate) fn book() -> Book {
    Book { order_id: order_id(), address: address(), items: items() }
}

histories! {
    const STATES: &[State];
    fn history(State) -> Vec<Incoming>;

    HasAddress: [placed()];
    HasPaid: [captured()];
    Booking: [placed(), captured()];
    Dispatched: [placed(), captured(), booked()];
    Failed: [placed(), captured(), refused()];
    Voided: [placed(), cancellation_requested()];
    Closed: [placed(), cancelled()];
}

/// A world whose rows were loaded but do not exist yet.
pub(crate) fn unknown() -> World {
    World { shipments: Rows::absent([order_id()]) }
}

/// A world whose shipment is in this state.
pub(crate) fn world_in(state: State) -> World {
    let mut world = unknown();
    for what in history(state) {
        apply(&mut world, what);
    }
    assert_eq!(shipment(&world).map(|shipment| shipment.state), Some(state));
    world
}

/// A world for each state of the shipment except these.
pub(crate) fn worlds_except(states: &[State]) -> impl Iterator<Item = World> {
    STATES.iter().filter(|state| !states.contains(state)).map(|state| world_in(*state))
}

/// The world in which the order is unknown, and one for each state.
pub(crate) fn every_world() -> impl Iterator<Item = World> {
    [unknown()].into_iter().chain(worlds_except(&[]))
}

pub(crate) fn shipment(world: &World) -> Option<&Shipment> {
    world.shipments.get(&order_id())
}

/// Applies an input to the rows and returns what followed from it.
pub(crate) fn apply(world: &mut World, what: Incoming) -> Applied {
    let out = react::<ShippingService>(world, what);
    Applied { events: out.events().cloned().collect(), requests: out.effects().to_vec() }
}

/// Plays a story that begins with an unknown order, and returns how it ends.
pub(crate) fn ending(story: impl IntoIterator<Item = Incoming>) -> Ending {
    let mut world = unknown();
    let mut followed = Applied::nothing();
    for what in story {
        let applied = apply(&mut world, what);
        followed.events.extend(applied.events);
        followed.requests.extend(applied.requests);
    }
    Ending { shipment: shipment(&world).cloned(), followed }
}
