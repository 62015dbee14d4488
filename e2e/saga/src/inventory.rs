//! The inventory service, as the tests play it.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Event, OrderId, OrderPlaced};
use engine::{Never, NoEffects, Outside, What};
use inventory::{AddStock, Command, InventoryService, Product, PutProduct, Reservation};
use quintet_test::{AGGREGATE, Described, fingerprint};
use store::Rows;

use crate::{
    Entry, OrderSaga, OutsideWorld,
    examples::{item, order_of, placed, price, sku, stocked},
};

#[async_trait]
impl Described<OrderSaga> for InventoryService {
    type Row = Reservation;

    fn simulated() -> Self {
        Self
    }

    fn outside(_: &Arc<OutsideWorld>) -> Arc<dyn Outside<Self>> {
        Arc::new(NoEffects)
    }

    fn world(reservations: Rows<Reservation>, product: &Product) -> inventory::World {
        let mut products = Rows::absent([product.sku.clone()]);
        products.put(product.clone());
        inventory::World { reservations, products }
    }

    fn rows(world: &inventory::World) -> &Rows<Reservation> {
        &world.reservations
    }

    fn shared(world: &inventory::World) -> Option<Product> {
        world.products.iter().next().cloned()
    }

    fn beginnings() -> Vec<inventory::World> {
        let reservations = Rows::absent([AGGREGATE.into()]);
        vec![inventory::World { reservations, products: Rows::absent([sku()]) }]
    }

    /// Merges worlds that differ only in stock that one order cannot use, so that exploration ends.
    fn settle(world: &mut inventory::World) {
        if let Some(product) = world.products.get_mut(&sku()) {
            product.on_hand = product.on_hand.min(product.reserved + 1);
            product.stocked = 1;
            product.shipped = 0;
            product.version = 1;
        }
    }

    fn fingerprint(world: &inventory::World) -> String {
        fingerprint(&world.reservations) + &fingerprint(&world.products)
    }

    /// Lists the product and adds one piece of it.
    fn openings(_: OrderId) -> Vec<Command> {
        let product = PutProduct { sku: sku(), name: "Mug".into(), price: price() };
        let piece = AddStock { sku: sku(), quantity: 1 };
        vec![Command::PutProduct(product), Command::AddStock(piece)]
    }

    fn outcomes(effect: &Never) -> Vec<Never> {
        match *effect {}
    }

    fn entry(effect: &Never, _: &Never) -> Option<Entry> {
        match *effect {}
    }

    fn variants(event: Event) -> Vec<Event> {
        match event {
            Event::OrderPlaced(placed) => {
                vec![OrderPlaced { items: vec![item()], ..placed }.into()]
            }
            other => vec![other],
        }
    }

    fn before(event: &Event) -> Vec<What<Self>> {
        if let Event::OrderPlaced(placed) = event {
            return placed.items.iter().flat_map(|item| stocked(&item.sku)).collect();
        }
        let placed = placed(order_of(event));
        let stock = placed.items.iter().flat_map(|item| stocked(&item.sku));
        stock.chain([What::Event(placed.clone().into())]).collect()
    }
}
