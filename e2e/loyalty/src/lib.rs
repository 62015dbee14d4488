//! The loyalty service gives a point for each full euro of a completed order, or for each hundred minor units of
//! another currency. It is the example of `docs/how-to/add-a-service.md`.

mod domain;
mod http;
mod on;
mod store;
mod undo;

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Event, EventType};
use quintet::{
    App, Input, Listed, Migrations, Never, NoEffects, Outside, Participant, Reaction, Service,
    StoreError, TableOf, Tx, What,
};
use utoipa_axum::router::OpenApiRouter;

pub use domain::{Account, Purchase, State, customer};
pub use store::World;

/// The loyalty service.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoyaltyService;

#[async_trait]
impl Participant for LoyaltyService {
    const NAME: &'static str = "loyalty";
    const CONSUMES: &'static [EventType] =
        &[EventType::OrderPlaced, EventType::OrderCompleted, EventType::OrderCancelled];

    type Contract = Event;
    type World = World;
    type Command = Never;
    type Reply = Never;
    type Effect = Never;
    type Outcome = Never;
    type Alarm = Never;

    fn react(world: &mut World, input: &Input<Self>, _: &mut Reaction<Self>) {
        match &input.what {
            What::Event(Event::OrderPlaced(event)) => on::order_placed::react(world, event),
            What::Event(Event::OrderCompleted(event)) => on::order_completed::react(world, event),
            What::Event(Event::OrderCancelled(event)) => undo::order_cancelled::react(world, event),
            What::Event(_) => {}
            What::Command(never) | What::Outcome(_, never) | What::Alarm(_, never) => {
                match *never {}
            }
        }
    }

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<World, StoreError> {
        World::load(tx, inputs).await
    }

    async fn save(&self, tx: &mut Tx, world: &World) -> Result<(), StoreError> {
        world.purchases.save(tx).await?;
        world.accounts.save(tx).await
    }
}

impl Service for LoyaltyService {
    const CONFIG: &'static str = include_str!("../config.toml");
    type Config = quintet::NoConfig;

    fn open(_: &Self::Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        Ok((Self, Arc::new(NoEffects)))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        http::routes()
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Purchase>::listed(), TableOf::<Account>::listed()]
    }
}
