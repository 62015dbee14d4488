//! The order service, as the tests play it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use contracts::{Event, EventType, OrderId, OrderPlaced, ProductListed, Sku};
use engine::{Never, NoEffects, Outside, What};
use event::{Contract as _, EventType as _};
use inventory::Product;
use order::{CancelOrder, Command, Order, OrderService, PlaceOrder, Policy};
use quintet_test::{AGGREGATE, Described, fingerprint, row_of};
use serde_json::{Value, json};
use store::{Db, Rows};

use crate::{
    Entry, OrderSaga, OutsideWorld,
    examples::{corpus_price, customers, item, order_of, placed, price, sku},
};

/// Limits so low that runs of the simulator reach them now and then.
const POLICY: Policy = Policy {
    paid: Duration::from_mins(10),
    first: Duration::from_mins(15),
    second: Duration::from_mins(15),
    quantity: 1_000,
    open_orders: 4,
};

#[async_trait]
impl Described<OrderSaga> for OrderService {
    type Row = Order;

    fn simulated() -> Self {
        Self { policy: POLICY, ..Self::default() }
    }

    fn outside(_: &Arc<OutsideWorld>) -> Arc<dyn Outside<Self>> {
        Arc::new(NoEffects)
    }

    fn world(orders: Rows<Order>, _: &Product) -> order::World {
        order::World { orders, ..order::World::default() }
    }

    fn rows(world: &order::World) -> &Rows<Order> {
        &world.orders
    }

    fn beginnings() -> Vec<order::World> {
        vec![order::World {
            orders: Rows::absent([AGGREGATE.into()]),
            customers: customers(),
            products: Rows::absent([sku()]),
            ..order::World::default()
        }]
    }

    /// Merges worlds that differ only in the timeline, the published events and the customer's open orders, so that
    /// exploration ends. With an empty timeline every event counts as new.
    fn settle(world: &mut order::World) {
        world.said.clear();
        world.customers = customers();
        if let Some(order) = world.orders.get_mut(&AGGREGATE.into()) {
            order.timeline.0.clear();
        }
    }

    fn fingerprint(world: &order::World) -> String {
        fingerprint(&world.orders) + &fingerprint(&world.products)
    }

    /// Sorts the timeline: which events it has matters, and their order does not.
    fn canonical(mut row: Order) -> Order {
        row.timeline.0.sort_unstable_by_key(|entry| entry.event_id);
        row
    }

    fn openings(order_id: OrderId) -> Vec<Command> {
        let placed = OrderPlaced { items: vec![item()], ..placed(order_id) };
        vec![Command::Place(Box::new(place(placed)))]
    }

    fn wishes(order_id: OrderId) -> Vec<Command> {
        vec![Command::Cancel(CancelOrder { order_id })]
    }

    fn outcomes(effect: &Never) -> Vec<Never> {
        match *effect {}
    }

    fn entry(effect: &Never, _: &Never) -> Option<Entry> {
        match *effect {}
    }

    fn variants(event: Event) -> Vec<Event> {
        match event {
            Event::ProductListed(listed) => {
                vec![ProductListed { sku: sku(), price: price(), ..listed }.into()]
            }
            other => vec![other],
        }
    }

    fn before(event: &Event) -> Vec<What<Self>> {
        if event.event_type() == EventType::ProductListed {
            return Vec::new();
        }
        let placed = placed(order_of(event));
        let listed = placed.items.iter().map(|item| What::Event(listed(&item.sku).into()));
        let mut before: Vec<_> = listed.collect();
        before.push(What::Command(Command::Place(Box::new(place(placed)))));
        before
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        if let Event::ProductListed(listed) = event {
            let product: Option<order::Product> =
                db.find(listed.sku.clone()).await.expect("a product");
            let product = product.expect("the product that was listed");
            let (name, price) = (&product.name, product.price());
            return json!({ "name": name, "price": price, "version": product.version });
        }
        let order: Order = row_of(db, event).await;
        let timeline = order.timeline.0.iter().map(|entry| entry.event.as_str());
        json!({
            "status": order.status(), "stage": order.stage, "cause": order.cause,
            "stock_settled": order.stock_settled, "money_settled": order.money_settled,
            "timeline": timeline.collect::<Vec<_>>(),
        })
    }
}

/// The command that places this order.
fn place(placed: OrderPlaced) -> PlaceOrder {
    let OrderPlaced { order_id, customer, items, shipping_address, payment, .. } = placed;
    PlaceOrder { order_id, customer, items, shipping_address, payment }
}

fn listed(sku: &Sku) -> ProductListed {
    ProductListed { sku: sku.clone(), name: sku.to_string(), price: corpus_price(), version: 1 }
}
