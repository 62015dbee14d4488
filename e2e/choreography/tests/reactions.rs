//! Details of single reactions that neither the first lines of the files nor the model's properties cover.

use choreography::{ORDER, customers, example, example_of};
use contracts::{
    Currency, Event, EventType, Item, Money, OrderId, ProductListed, ShipmentVoided, Sku,
    StockReserved,
};
use engine::What;
use inventory::{AddStock, InventoryService, PutProduct};
use order::{OrderService, PlaceOrder, Refusal, Stage, WrongLine};
use payment::{Payment, PaymentService, RetryRefund, State};
use quintet_test::{react, react_to};
use shipping::{Shipment, ShippingService};
use store::Rows;
use uuid::Uuid;

fn sku() -> Sku {
    "mug".parse().unwrap()
}

fn eur(amount_minor: i64) -> Money {
    Money { amount_minor, currency: Currency::EUR }
}

fn stock(world: &mut inventory::World, quantity: i64) -> inventory::Reply {
    let add = AddStock { sku: sku(), quantity };
    let out = react::<InventoryService>(world, What::Command(inventory::Command::AddStock(add)));
    assert_eq!(out.events().count(), 0);
    out.answer().unwrap().clone()
}

/// The reply, and the versions that are published.
fn put(world: &mut inventory::World, price: i64) -> (inventory::Reply, Vec<i64>) {
    let put = PutProduct { sku: sku(), name: "Mug".into(), price: eur(price) };
    let out = react::<InventoryService>(world, What::Command(inventory::Command::PutProduct(put)));
    let versions = out.events().map(|event| match event {
        Event::ProductListed(listed) => listed.version,
        other => panic!("{other:?}"),
    });
    (out.answer().unwrap().clone(), versions.collect())
}

#[test]
fn a_product_has_a_greatest_stock() {
    const MOST: i64 = 1_000_000_000_000_000;
    let mut world = inventory::World { products: Rows::absent([sku()]), ..Default::default() };
    assert_eq!(stock(&mut world, 1), inventory::Reply::Unknown);
    put(&mut world, 1);
    stock(&mut world, MOST - 7);
    assert_eq!(stock(&mut world, 8), inventory::Reply::TooMuch);
    let inventory::Reply::Product(full, false) = stock(&mut world, 7) else { panic!("refused") };
    assert_eq!((full.stocked, full.on_hand), (MOST, MOST));
    assert_eq!(stock(&mut world, 1), inventory::Reply::TooMuch);
}

#[test]
fn a_product_that_changes_has_a_new_version_and_keeps_its_stock() {
    let mut world = inventory::World { products: Rows::absent([sku()]), ..Default::default() };
    let (inventory::Reply::Product(_, true), versions) = put(&mut world, 1) else {
        panic!("the product is known")
    };
    assert_eq!(versions, [1]);
    stock(&mut world, 5);
    assert!(put(&mut world, 1).1.is_empty(), "nothing has changed");
    let (inventory::Reply::Product(product, false), versions) = put(&mut world, 2) else {
        panic!("the product is new")
    };
    assert_eq!(versions, [2]);
    assert_eq!((product.version, product.on_hand, product.price()), (2, 5, eur(2)));
    assert_eq!(put(&mut world, 3).1, [3]);
}

#[test]
fn the_price_list_has_the_price_of_the_highest_version() {
    let mut world = order::World { products: Rows::absent([sku()]), ..Default::default() };
    for (version, price, listed) in [(2, 20, 20), (1, 10, 20), (2, 21, 20), (3, 30, 30)] {
        let event = ProductListed { sku: sku(), name: "Mug".into(), price: eur(price), version };
        react::<OrderService>(&mut world, What::Event(event.into()));
        assert_eq!(world.products.get(&sku()).unwrap().price_minor, listed, "version {version}");
    }
}

fn place(world: &mut order::World, items: [&str; 2]) -> order::Reply {
    let Event::OrderPlaced(example) = example(EventType::OrderPlaced) else { panic!("another") };
    let items = items.map(|sku| Item { sku: sku.parse().unwrap(), quantity: 2 });
    let place = PlaceOrder {
        order_id: ORDER.into(),
        customer: example.customer,
        items: items.into(),
        shipping_address: example.shipping_address,
        payment: example.payment,
    };
    let out = react::<OrderService>(world, What::Command(order::Command::Place(Box::new(place))));
    out.answer().unwrap().clone()
}

fn shop() -> order::World {
    let orders = Rows::absent([ORDER.into()]);
    let products = Rows::absent(["mug", "cup", "pot"].map(|sku| sku.parse().unwrap()));
    let mut world = order::World { orders, customers: customers(), products, ..Default::default() };
    for (sku, amount_minor, currency) in [("mug", 1, "EUR"), ("cup", 10, "EUR"), ("pot", 1, "USD")]
    {
        let price = Money { amount_minor, currency: currency.parse().unwrap() };
        let sku: Sku = sku.parse().unwrap();
        let listed = ProductListed { sku, name: "It".into(), price, version: 1 };
        react::<OrderService>(&mut world, What::Event(listed.into()));
    }
    world
}

#[test]
fn an_order_costs_the_sum_of_its_lines_in_one_currency() {
    let refused = place(&mut shop(), ["mug", "pot"]);
    let mixed = WrongLine::MixedCurrencies { line: 1 };
    assert_eq!(refused, order::Reply::Refused(Refusal::Lines(vec![mixed])));
    let mut world = shop();
    assert!(matches!(place(&mut world, ["mug", "cup"]), order::Reply::Order(_)));
    assert_eq!(world.orders.get(&ORDER.into()).unwrap().total_minor, 22);
}

#[test]
fn an_order_shows_how_far_it_has_come() {
    let (mut world, order_id) = (shop(), ORDER.into());
    place(&mut world, ["mug", "cup"]);
    let captured = example_of(EventType::PaymentCaptured, ORDER);
    for (id, event, stage) in
        [(2, StockReserved { order_id }.into(), Stage::Reserved), (3, captured, Stage::Paid)]
    {
        react_to::<OrderService>(&mut world, Uuid::from_u128(id), What::Event(event));
        assert_eq!(world.orders.get(&order_id).unwrap().stage, stage);
    }
}

#[test]
fn shipping_voids_only_parcels_that_it_has_not_booked() {
    use shipping::State::{Booking, Dispatched, Failed, HasAddress, HasPaid, Voided};
    let order_id: OrderId = ORDER.into();
    for (state, is_voided) in [
        (HasAddress, true),
        (HasPaid, true),
        (Booking, false),
        (Dispatched, false),
        (Failed, false),
    ] {
        let mut world = shipping::World { shipments: Rows::absent([order_id]) };
        world.shipments.put(Shipment::new(order_id, state));
        let request = example_of(EventType::OrderCancellationRequested, ORDER);
        let out = react::<ShippingService>(&mut world, What::Event(request));
        let after = world.shipments.get(&order_id).unwrap().state;
        assert_eq!(after, if is_voided { Voided } else { state });
        let published: Vec<_> = out.events().cloned().collect();
        let expected = is_voided.then(|| ShipmentVoided { order_id }.into());
        assert_eq!(published, expected.into_iter().collect::<Vec<Event>>(), "{state:?}");
    }
}

#[test]
fn a_refund_is_tried_again_only_if_it_was_refused() {
    let order_id: OrderId = Uuid::from_u128(2).into();
    let retry = |world: &mut payment::World| {
        let out = react::<PaymentService>(world, What::Command(RetryRefund { order_id }));
        (*out.answer().unwrap(), out.effects().len())
    };
    let mut world = payment::World { payments: Rows::absent([order_id]) };
    let unknown = retry(&mut world);
    assert_eq!(unknown, (payment::Reply::Unknown, 0));
    for (state, expected) in [
        (State::Captured, (payment::Reply::NotRefused(State::Captured), 0)),
        (State::Attention, (payment::Reply::Retrying, 1)),
        (State::Refunding, (payment::Reply::NotRefused(State::Refunding), 0)),
    ] {
        let mut payment = Payment::new(order_id, state);
        (payment.amount_minor, payment.currency) = (Some(1_298), Some(Currency::EUR));
        payment.charge = Some("ch_1".into());
        world.payments.put(payment);
        assert_eq!(retry(&mut world), expected);
    }
}
