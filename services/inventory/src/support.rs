//! Shared by the tests of the reactions: inputs about one order, a stocked shelf, and rows of orders that do not exist
//! yet.

use contracts::{
    Address, Currency, Customer, Event, Item, Money, OrderId, OrderPlaced, PaymentDeclined,
    PaymentMethod, ShipmentDispatched, ShipmentFailed, ShipmentVoided, Sku, StockReleased,
};
use quintet::{Rows, What};
use quintet_test::{histories, react};
use uuid::Uuid;

pub(crate) use quintet_test::{assert_ignored, assert_repeat_ignored};

use crate::{
    AddStock, Command, InventoryService, Product, PutProduct, Reply, Reservation, State, World,
};

/// An input of the inventory service.
pub(crate) type Incoming = What<InventoryService>;

/// Everything that follows from inputs, except the changed rows. The inventory service makes no requests to the outside
/// world and has no alarms.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Applied {
    pub(crate) events: Vec<Event>,
    pub(crate) reply: Option<Reply>,
}

impl Applied {
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn event(event: impl Into<Event>) -> Self {
        Self { events: vec![event.into()], ..Self::default() }
    }

    pub(crate) fn reply(reply: Reply) -> Self {
        Self { reply: Some(reply), ..Self::default() }
    }
}

/// All rows that exist.
#[derive(Debug, PartialEq)]
pub(crate) struct AllRows {
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) products: Vec<Product>,
}

/// The rows after all inputs of a story, and everything that followed from them.
#[derive(Debug, PartialEq)]
pub(crate) struct Ending {
    pub(crate) rows: AllRows,
    pub(crate) followed: Applied,
}

pub(crate) fn order_id() -> OrderId {
    Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001).into()
}

/// Another order, for the same products.
pub(crate) fn other_order_id() -> OrderId {
    Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0002).into()
}

pub(crate) fn sku(sku: &str) -> Sku {
    sku.parse().expect("a SKU")
}

pub(crate) fn item(name: &str, quantity: i64) -> Item {
    Item { sku: sku(name), quantity }
}

pub(crate) fn eur(amount_minor: i64) -> Money {
    Money { amount_minor, currency: Currency::EUR }
}

/// The order places these items.
pub(crate) fn placed_by(order_id: OrderId, items: impl Into<Vec<Item>>) -> Incoming {
    let nowhere = Address {
        name: String::new(),
        street: String::new(),
        city: String::new(),
        postal_code: String::new(),
        country: String::new(),
    };
    What::Event(Event::OrderPlaced(OrderPlaced {
        order_id,
        customer: Customer { email: "clara@example.org".into() },
        items: items.into(),
        shipping_address: nowhere,
        payment: PaymentMethod { token: "tok_ok".into() },
        total: eur(1597),
    }))
}

/// The items of [`placed`]: all pots of [`shelf`], and some of its mugs.
pub(crate) fn items() -> Vec<Item> {
    vec![item("mug", 3), item("pot", 2)]
}

pub(crate) fn placed() -> Incoming {
    placed_by(order_id(), items())
}

pub(crate) fn placed_for_too_much() -> Incoming {
    placed_by(order_id(), [item("mug", 3), item("pot", 3)])
}

pub(crate) fn shipment_dispatched() -> Incoming {
    let (order_id, tracking) = (order_id(), "JD014600".into());
    What::Event(Event::ShipmentDispatched(ShipmentDispatched { order_id, tracking }))
}

pub(crate) fn payment_declined() -> Incoming {
    let (order_id, reason) = (order_id(), "card expired".into());
    What::Event(Event::PaymentDeclined(PaymentDeclined { order_id, reason }))
}

pub(crate) fn shipment_failed() -> Incoming {
    let (order_id, reason) = (order_id(), "address unknown".into());
    What::Event(Event::ShipmentFailed(ShipmentFailed { order_id, reason }))
}

pub(crate) fn shipment_voided() -> Incoming {
    What::Event(Event::ShipmentVoided(ShipmentVoided { order_id: order_id() }))
}

pub(crate) fn put_product(name: &str, title: &str, price: Money) -> Incoming {
    let put = PutProduct { sku: sku(name), name: title.into(), price };
    What::Command(Command::PutProduct(put))
}

pub(crate) fn add_stock(name: &str, quantity: i64) -> Incoming {
    What::Command(Command::AddStock(AddStock { sku: sku(name), quantity }))
}

histories! {
    const STATES: &[State];
    fn history(State) -> Vec<Incoming>;

    Reserved: [placed()];
    Rejected: [placed_for_too_much()];
    Released: [placed(), shipment_voided()];
    Tombstone: [shipment_voided()];
    Shipped: [placed(), shipment_dispatched()];
}

/// A world whose rows were loaded but do not exist yet.
pub(crate) fn empty() -> World {
    World {
        reservations: Rows::absent([order_id(), other_order_id()]),
        products: Rows::absent(["mug", "pot", "cup"].map(sku)),
    }
}

/// A world with ten mugs, two pots and no cups, in which no order is known.
pub(crate) fn shelf() -> World {
    let mut world = empty();
    for (name, title, price, quantity) in [("mug", "Mug", 499, 10), ("pot", "Pot", 1298, 2)] {
        apply(&mut world, put_product(name, title, eur(price)));
        apply(&mut world, add_stock(name, quantity));
    }
    world
}

/// A world in which the order's reservation is in this state.
pub(crate) fn world_in(state: State) -> World {
    let mut world = shelf();
    for what in history(state) {
        apply(&mut world, what);
    }
    assert_eq!(reservation(&world).map(|reservation| reservation.state), Some(state));
    world
}

/// A world for each state of the order's reservation except these.
pub(crate) fn worlds_except(states: &[State]) -> impl Iterator<Item = World> {
    STATES.iter().filter(|state| !states.contains(state)).map(|state| world_in(*state))
}

/// The world in which the order is unknown, and one for each state.
pub(crate) fn every_world() -> impl Iterator<Item = World> {
    [shelf()].into_iter().chain(worlds_except(&[]))
}

pub(crate) fn reservation(world: &World) -> Option<&Reservation> {
    world.reservations.get(&order_id())
}

pub(crate) fn product(world: &World, name: &str) -> Product {
    world.products.get(&sku(name)).expect("a product of the shelf").clone()
}

pub(crate) fn rows(world: &World) -> AllRows {
    AllRows {
        reservations: world.reservations.iter().cloned().collect(),
        products: world.products.iter().cloned().collect(),
    }
}

/// Applies an input to the rows and returns what followed from it.
pub(crate) fn apply(world: &mut World, what: Incoming) -> Applied {
    let out = react::<InventoryService>(world, what);
    Applied { events: out.events().cloned().collect(), reply: out.answer().cloned() }
}

/// What follows from an input that releases the order's stock.
pub(crate) fn released() -> Applied {
    Applied::event(StockReleased { order_id: order_id() })
}

/// Asserts that the input releases every reserved line, and that this is published.
#[track_caller]
pub(crate) fn assert_releases(input: Incoming) {
    let mut world = world_in(State::Reserved);
    let before = reservation(&world).cloned().expect("a reservation");
    let (mug, pot) = (product(&world, "mug"), product(&world, "pot"));
    assert_eq!(apply(&mut world, input), released());
    let expected = Reservation { state: State::Released, ..before };
    assert_eq!(reservation(&world), Some(&expected));
    assert_eq!(product(&world, "mug"), Product { reserved: 0, ..mug });
    assert_eq!(product(&world, "pot"), Product { reserved: 0, ..pot });
}

/// Plays a story that begins with a full shelf, and returns how it ends.
pub(crate) fn ending(story: impl IntoIterator<Item = Incoming>) -> Ending {
    let mut world = shelf();
    let mut followed = Applied::nothing();
    for what in story {
        let applied = apply(&mut world, what);
        followed.events.extend(applied.events);
        followed.reply = applied.reply.or(followed.reply);
    }
    Ending { rows: rows(&world), followed }
}
