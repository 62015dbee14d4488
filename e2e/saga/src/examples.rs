//! Examples that the descriptions of all services share.

use contracts::{Event, EventType, Item, Money, OrderId, OrderPlaced, Sku};
use engine::What;
use event::Contract as _;
use inventory::{AddStock, InventoryService, PutProduct};
use quintet_test::{example, example_of};
use store::Rows;

/// The product in explorations.
pub(crate) fn sku() -> Sku {
    "mug".parse().expect("a SKU")
}

/// Its price.
pub(crate) fn price() -> Money {
    Money { amount_minor: 1298, currency: contracts::Currency::EUR }
}

/// One piece of it.
pub(crate) fn item() -> Item {
    Item { sku: sku(), quantity: 1 }
}

/// The customer of the example order, without open orders.
#[must_use]
pub fn customers() -> Rows<order::Customer> {
    let placed = order_placed(example(EventType::OrderPlaced));
    Rows::absent([order::customer_id(&placed.customer.email)])
}

/// The example of `OrderPlaced`, for this order.
pub(crate) fn placed(order: OrderId) -> OrderPlaced {
    order_placed(example_of(EventType::OrderPlaced, order.into()))
}

fn order_placed(event: Event) -> OrderPlaced {
    match event {
        Event::OrderPlaced(placed) => placed,
        other => panic!("{other:?} is not an OrderPlaced"),
    }
}

/// The order that an event is about.
pub(crate) fn order_of(event: &Event) -> OrderId {
    event.aggregate().expect("an event about an order")
}

/// The commands that list a product and add enough stock for the largest order.
pub(crate) fn stocked(sku: &Sku) -> [What<InventoryService>; 2] {
    let put = PutProduct { sku: sku.clone(), name: sku.to_string(), price: corpus_price() };
    let add = AddStock { sku: sku.clone(), quantity: 100_000_000 };
    let (put, add) = (inventory::Command::PutProduct(put), inventory::Command::AddStock(add));
    [What::Command(put), What::Command(add)]
}

/// The price of all products of the golden records.
pub(crate) fn corpus_price() -> Money {
    Money { amount_minor: 100, currency: contracts::Currency::EUR }
}
