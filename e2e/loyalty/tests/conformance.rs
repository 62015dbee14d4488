//! The conformance suites that every service passes: its folder states what it does, its tables work on every
//! database, and two replicas have the same result as one.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use contracts::{
    Event,
    EventType::{self, OrderCancelled, OrderCompleted, OrderPlaced},
};
use loyalty::{LoyaltyService, Purchase, World, customer};
use quintet::{Never, NoEffects, Outside, Rows};
use quintet_test::{
    AGGREGATE, Described, Saga,
    conformance::{AtOnce, Says, choreography, replicas, stores},
    example,
};
use uuid::Uuid;

/// The order saga, as far as the loyalty service takes part. It has no providers.
#[derive(Clone, Copy, Debug)]
struct Orders;

impl Saga for Orders {
    type Contract = Event;
    type Providers = ();
    type Shared = ();
    type Entry = ();
}

/// The customer of all examples.
fn customer_of_examples() -> Uuid {
    let Event::OrderPlaced(placed) = example(OrderPlaced) else { unreachable!() };
    customer(&placed.customer.email)
}

#[async_trait]
impl Described<Orders> for LoyaltyService {
    type Row = Purchase;

    fn simulated() -> Self {
        Self
    }

    fn outside(_: &Arc<()>) -> Arc<dyn Outside<Self>> {
        Arc::new(NoEffects)
    }

    fn world(purchases: Rows<Purchase>, (): &()) -> World {
        World { purchases, accounts: Rows::absent([customer_of_examples()]) }
    }

    fn rows(world: &World) -> &Rows<Purchase> {
        &world.purchases
    }

    fn beginnings() -> Vec<World> {
        vec![Self::world(Rows::absent([AGGREGATE.into()]), &())]
    }

    fn outcomes(request: &Never) -> Vec<Never> {
        match *request {}
    }

    fn entry(request: &Never, _: &Never) -> Option<()> {
        match *request {}
    }
}

#[test]
fn the_folder_says_what_the_service_does() {
    choreography::<LoyaltyService, Orders>(Path::new(env!("CARGO_MANIFEST_DIR")));
}

#[tokio::test]
async fn tables_work_on_every_database() {
    stores::<LoyaltyService, Orders>().await;
}

#[tokio::test]
async fn two_replicas_have_the_same_result_as_one() {
    const PLACED: &[Says<EventType>] = &[Says::Event(OrderPlaced)];
    let at_once =
        |before, one, other| AtOnce { before, one: Says::Event(one), other: Says::Event(other) };
    replicas::<LoyaltyService, Orders>(&[
        at_once(&[], OrderPlaced, OrderCompleted),
        at_once(&[], OrderPlaced, OrderCancelled),
        at_once(PLACED, OrderCompleted, OrderCompleted),
    ])
    .await;
}
