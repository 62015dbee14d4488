//! The inventory service lists the products and manages their stock: it reserves all lines of an order or none, and
//! releases them if the order is cancelled.

mod command;
mod domain;
mod http;
mod on;
mod store;
#[cfg(test)]
mod support;
mod undo;

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Event, EventType};
use quintet::{
    App, Input, Listed, Migrations, Never, NoEffects, Outside, Participant, Reaction, Service,
    StoreError, TableOf, Tx, What,
};
use utoipa_axum::router::OpenApiRouter;

pub use command::{Command, Reply};
pub use domain::{Product, Reservation, State};
pub use on::{add_stock::AddStock, put_product::PutProduct};
pub use store::World;

/// The inventory service.
#[derive(Debug, Clone, Copy, Default)]
pub struct InventoryService;

#[async_trait]
impl Participant for InventoryService {
    const NAME: &'static str = "inventory";
    const CONSUMES: &'static [EventType] = &[
        EventType::OrderPlaced,
        EventType::PaymentDeclined,
        EventType::ShipmentFailed,
        EventType::ShipmentVoided,
        EventType::ShipmentDispatched,
    ];

    type Contract = Event;
    type World = World;
    type Command = Command;
    type Reply = Reply;
    type Effect = Never;
    type Outcome = Never;
    type Alarm = Never;

    fn react(world: &mut World, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Event(Event::OrderPlaced(event)) => on::order_placed::react(world, event, out),
            What::Event(Event::ShipmentDispatched(event)) => {
                on::shipment_dispatched::react(world, event);
            }
            What::Event(Event::PaymentDeclined(event)) => {
                undo::payment_declined::react(world, event, out);
            }
            What::Event(Event::ShipmentFailed(event)) => {
                undo::shipment_failed::react(world, event, out);
            }
            What::Event(Event::ShipmentVoided(event)) => {
                undo::shipment_voided::react(world, event, out);
            }
            What::Command(Command::PutProduct(command)) => {
                on::put_product::react(world, command, out);
            }
            What::Command(Command::AddStock(command)) => on::add_stock::react(world, command, out),
            What::Event(_) => {}
            What::Outcome(_, never) | What::Alarm(_, never) => match *never {},
        }
    }

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<World, StoreError> {
        World::load(tx, inputs).await
    }

    async fn save(&self, tx: &mut Tx, world: &World) -> Result<(), StoreError> {
        world.reservations.save(tx).await?;
        world.products.save(tx).await
    }
}

/// What the inventory service does in reaction to one input.
pub type Out = Reaction<InventoryService>;

impl Service for InventoryService {
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
        vec![TableOf::<Reservation>::listed(), TableOf::<Product>::listed()]
    }
}
