//! The shipping service, as the tests play it.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::Event;
use engine::{Effect as _, Outside, What};
use inventory::Product;
use quintet_test::{AGGREGATE, Described, row_of};
use serde_json::{Value, json};
use shipping::{Book, BookAnswer, Providers, Shipment, ShippingService};
use store::{Db, Rows};

use crate::{
    Entry, OrderSaga, OutsideWorld,
    entry::key,
    examples::{order_of, placed},
};

#[async_trait]
impl Described<OrderSaga> for ShippingService {
    type Row = Shipment;

    fn simulated() -> Self {
        Self
    }

    fn outside(world: &Arc<OutsideWorld>) -> Arc<dyn Outside<Self>> {
        Arc::new(Providers(Arc::clone(world) as _))
    }

    fn world(shipments: Rows<Shipment>, _: &Product) -> shipping::World {
        shipping::World { shipments }
    }

    fn rows(world: &shipping::World) -> &Rows<Shipment> {
        &world.shipments
    }

    fn beginnings() -> Vec<shipping::World> {
        vec![shipping::World { shipments: Rows::absent([AGGREGATE.into()]) }]
    }

    fn outcomes(_: &Book) -> Vec<BookAnswer> {
        let (tracking, reason) = ("t".to_owned(), "no".to_owned());
        vec![BookAnswer::Booked { tracking }, BookAnswer::Refused { reason }]
    }

    fn entry(book: &Book, answer: &BookAnswer) -> Option<Entry> {
        let status = match answer {
            BookAnswer::Booked { .. } => audit::BookingStatus::Booked,
            BookAnswer::Refused { .. } => audit::BookingStatus::Refused,
        };
        let (order_id, idempotency_key) = (book.order_id, key(book.id()));
        Some(Entry::Booking(audit::Booking { order_id, idempotency_key, status, requests: 1 }))
    }

    fn before(event: &Event) -> Vec<What<Self>> {
        match event {
            Event::OrderPlaced(_) => Vec::new(),
            _ => vec![What::Event(placed(order_of(event)).into())],
        }
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        let shipment: Shipment = row_of(db, event).await;
        json!({ "row": shipment, "address": shipment.address })
    }
}
