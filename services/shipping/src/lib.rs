//! The shipping service books the parcel once it knows both the address and the payment, whichever comes first. It
//! decides on cancellations, because it alone knows whether the parcel can still be stopped.

mod domain;
mod effects;
mod http;
mod on;
mod store;
#[cfg(test)]
mod support;
mod undo;

use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use contracts::{Event, EventType};
use quintet::{
    App, Impossible, Input, Listed, Migrations, Never, Outside, Participant, Reaction, Resolution,
    Service, StoreError, TableOf, Tx, What,
};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

pub use domain::{Shipment, State};
pub use effects::{Book, BookAnswer, Carrier, Providers};
pub use store::World;

/// The shipping service.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShippingService;

#[async_trait]
impl Participant for ShippingService {
    const NAME: &'static str = "shipping";
    const CONSUMES: &'static [EventType] = &[
        EventType::OrderPlaced,
        EventType::PaymentCaptured,
        EventType::OrderCancellationRequested,
        EventType::OrderCancelled,
    ];

    type Contract = Event;
    type World = World;
    type Command = Never;
    type Reply = Never;
    type Effect = Book;
    type Outcome = BookAnswer;
    type Alarm = Never;

    fn react(world: &mut World, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Event(Event::OrderPlaced(event)) => on::order_placed::react(world, event, out),
            What::Event(Event::PaymentCaptured(event)) => {
                on::payment_captured::react(world, event, out);
            }
            What::Event(Event::OrderCancellationRequested(event)) => {
                undo::order_cancellation_requested::react(world, event, out);
            }
            What::Event(Event::OrderCancelled(event)) => undo::order_cancelled::react(world, event),
            What::Outcome(order, answer) => on::book_answered::react(world, *order, answer, out),
            What::Event(_) => {}
            What::Command(never) | What::Alarm(_, never) => match *never {},
        }
    }

    fn resolve(_: &Book, resolution: &Resolution) -> Result<BookAnswer, Impossible> {
        effects::resolve(resolution)
    }

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<World, StoreError> {
        World::load(tx, inputs).await
    }

    async fn save(&self, tx: &mut Tx, world: &World) -> Result<(), StoreError> {
        world.shipments.save(tx).await
    }
}

/// What the shipping service does in reaction to one input.
pub type Out = Reaction<ShippingService>;

/// The settings that only the shipping service has.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// The carrier.
    pub carrier: CarrierConfig,
}

/// See [`Config::carrier`].
#[derive(Debug, Clone, Deserialize)]
pub struct CarrierConfig {
    /// Its address; `/bookings` is appended.
    pub url: String,
}

impl Service for ShippingService {
    const CONFIG: &'static str = include_str!("../config.toml");
    type Config = Config;

    fn open(config: &Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        let carrier = effects::HttpCarrier::new(&config.carrier.url).context("carrier.url")?;
        Ok((Self, Arc::new(Providers(Arc::new(carrier)))))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        http::routes()
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Shipment>::listed()]
    }
}
