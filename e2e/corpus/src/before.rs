use async_trait::async_trait;
use choreography::example_of;
use contracts::{
    Currency, EffectId, Event, EventType, Money, OrderId, OrderPlaced, ProductListed, Sku, derived,
};
use engine::What;
use inventory::{AddStock, InventoryService, PutProduct, Reservation};
use notification::{Notification, NotificationService};
use order::{Order, OrderService, PlaceOrder, Product};
use payment::{ChargeAnswer, Outcome, Payment, PaymentService};
use serde_json::{Value, json};
use service::Service;
use shipping::{Shipment, ShippingService};
use store::{Db, Record};

/// A service whose part in an order's story can be told.
#[async_trait]
pub trait Plays: Service + Default {
    /// What it meets before the event, so that the event has something to act on.
    #[must_use]
    fn before(event: &Event) -> Vec<What<Self>>;

    /// What it knows of what the event is about.
    async fn knows(db: &Db, event: &Event) -> Value;

    /// The request that an outcome in [`Plays::before`] answers.
    #[must_use]
    fn asked_for(event: &Event) -> EffectId {
        let order = order_of(event).into();
        derived(order, order, "charge", 0).into()
    }
}

#[async_trait]
impl Plays for InventoryService {
    fn before(event: &Event) -> Vec<What<Self>> {
        if let Event::OrderPlaced(placed) = event {
            return placed.items.iter().flat_map(|item| stocked(&item.sku)).collect();
        }
        let placed = placed(order_of(event));
        let stock = placed.items.iter().flat_map(|item| stocked(&item.sku));
        stock.chain([What::Event(placed.clone().into())]).collect()
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        json!(row::<Reservation>(db, event).await)
    }
}

#[async_trait]
impl Plays for PaymentService {
    fn before(event: &Event) -> Vec<What<Self>> {
        let order_id = order_of(event);
        let placed = What::Event(placed(order_id).into());
        let go = What::Event(example_of(EventType::StockReserved, order_id.into()));
        let reference = "ch_1".to_owned();
        let captured = Outcome::Charge(ChargeAnswer::Captured { reference });
        match event {
            Event::StockReserved(_) | Event::OrderCancelled(_) => vec![placed],
            Event::ShipmentVoided(_) | Event::ShipmentFailed(_) => {
                vec![placed, go, What::Outcome(order_id, captured)]
            }
            _ => Vec::new(),
        }
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        let payment: Payment = row(db, event).await;
        json!({ "row": payment, "token": payment.token })
    }
}

#[async_trait]
impl Plays for ShippingService {
    fn before(event: &Event) -> Vec<What<Self>> {
        match event {
            Event::OrderPlaced(_) => Vec::new(),
            _ => vec![What::Event(placed(order_of(event)).into())],
        }
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        let shipment: Shipment = row(db, event).await;
        json!({ "row": shipment, "address": shipment.address })
    }
}

#[async_trait]
impl Plays for NotificationService {
    fn before(event: &Event) -> Vec<What<Self>> {
        match event {
            Event::OrderPlaced(_) => Vec::new(),
            _ => vec![What::Event(placed(order_of(event)).into())],
        }
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        let notification: Notification = row(db, event).await;
        json!({ "row": notification, "email": notification.email })
    }
}

#[async_trait]
impl Plays for OrderService {
    fn before(event: &Event) -> Vec<What<Self>> {
        if let Event::ProductListed(_) = event {
            return Vec::new();
        }
        let placed = placed(order_of(event));
        let listed = placed.items.iter().map(|item| What::Event(listed(&item.sku).into()));
        let mut before: Vec<_> = listed.collect();
        let OrderPlaced { order_id, customer, items, shipping_address, payment, .. } = placed;
        let place = PlaceOrder { order_id, customer, items, shipping_address, payment };
        before.push(What::Command(order::Command::Place(Box::new(place))));
        before
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        if let Event::ProductListed(listed) = event {
            let product: Option<Product> = db.find(listed.sku.clone()).await.expect("a product");
            let product = product.expect("the product that was listed");
            let (name, price) = (&product.name, product.price());
            return json!({ "name": name, "price": price, "version": product.version });
        }
        let order: Order = row(db, event).await;
        let timeline = order.timeline.0.iter().map(|entry| entry.event.as_str());
        json!({
            "status": order.status(), "stage": order.stage, "cause": order.cause,
            "stock_settled": order.stock_settled, "money_settled": order.money_settled,
            "timeline": timeline.collect::<Vec<_>>(),
        })
    }
}

fn order_of(event: &Event) -> OrderId {
    event.order_id().expect("an event about an order")
}

/// What the order was, in what came before.
fn placed(order: OrderId) -> OrderPlaced {
    match example_of(EventType::OrderPlaced, order.into()) {
        Event::OrderPlaced(placed) => placed,
        other => panic!("{other:?} is no OrderPlaced"),
    }
}

fn price() -> Money {
    Money { amount_minor: 100, currency: Currency::EUR }
}

/// Enough pieces for the largest order.
fn stocked(sku: &Sku) -> [What<InventoryService>; 2] {
    let put = PutProduct { sku: sku.clone(), name: sku.to_string(), price: price() };
    let add = AddStock { sku: sku.clone(), quantity: 100_000_000 };
    let (put, add) = (inventory::Command::PutProduct(put), inventory::Command::AddStock(add));
    [What::Command(put), What::Command(add)]
}

fn listed(sku: &Sku) -> ProductListed {
    ProductListed { sku: sku.clone(), name: sku.to_string(), price: price(), version: 1 }
}

/// The row of the event's order.
async fn row<R: Record<Key = OrderId>>(db: &Db, event: &Event) -> R {
    let row: Option<R> = db.find(order_of(event)).await.expect("a table");
    row.expect("a row of this order")
}
