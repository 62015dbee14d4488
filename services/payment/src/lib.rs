//! The payment service charges the customer once it knows both the amount and that the stock is reserved (the
//! go-ahead), whichever comes first. It gives the money back when the order is cancelled.

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

pub use domain::{Payment, State};
pub use effects::{
    Charge, ChargeAnswer, Effect, Gateway, Outcome, Providers, Refund, RefundAnswer,
};
pub use store::World;
pub use undo::retry_refund::{Reply, RetryRefund};

/// The payment service.
#[derive(Debug, Clone, Copy, Default)]
pub struct PaymentService;

#[async_trait]
impl Participant for PaymentService {
    const NAME: &'static str = "payment";
    const CONSUMES: &'static [EventType] = &[
        EventType::OrderPlaced,
        EventType::StockReserved,
        EventType::ShipmentVoided,
        EventType::ShipmentFailed,
        EventType::OrderCancelled,
    ];

    type Contract = Event;
    type World = World;
    type Command = RetryRefund;
    type Reply = Reply;
    type Effect = Effect;
    type Outcome = Outcome;
    type Alarm = Never;

    fn react(world: &mut World, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Event(Event::OrderPlaced(event)) => on::order_placed::react(world, event, out),
            What::Event(Event::StockReserved(event)) => {
                on::stock_reserved::react(world, event, out);
            }
            What::Event(Event::ShipmentVoided(event)) => {
                undo::shipment_voided::react(world, event, out);
            }
            What::Event(Event::ShipmentFailed(event)) => {
                undo::shipment_failed::react(world, event, out);
            }
            What::Event(Event::OrderCancelled(event)) => undo::order_cancelled::react(world, event),
            What::Outcome(order, Outcome::Charge(answer)) => {
                on::charge_answered::react(world, *order, answer, out);
            }
            What::Outcome(order, Outcome::Refund(answer)) => {
                undo::refund_answered::react(world, *order, answer, out);
            }
            What::Command(command) => undo::retry_refund::react(world, *command, out),
            What::Event(_) => {}
            What::Alarm(_, never) => match *never {},
        }
    }

    fn resolve(effect: &Effect, resolution: &Resolution) -> Result<Outcome, Impossible> {
        effects::resolve(effect, resolution)
    }

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<World, StoreError> {
        World::load(tx, inputs).await
    }

    async fn save(&self, tx: &mut Tx, world: &World) -> Result<(), StoreError> {
        world.payments.save(tx).await
    }
}

/// What the payment service does in reaction to one input.
pub type Out = Reaction<PaymentService>;

/// The settings that only the payment service has.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// The payment gateway.
    pub gateway: GatewayConfig,
}

/// See [`Config::gateway`].
#[derive(Debug, Clone, Deserialize)]
pub struct GatewayConfig {
    /// Its address; `/charges` and `/refunds` are appended.
    pub url: String,
}

impl Service for PaymentService {
    const CONFIG: &'static str = include_str!("../config.toml");
    type Config = Config;

    fn open(config: &Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        let gateway = effects::HttpGateway::new(&config.gateway.url).context("gateway.url")?;
        Ok((Self, Arc::new(Providers(Arc::new(gateway)))))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        http::routes()
    }

    fn admin_routes() -> OpenApiRouter<App<Self>> {
        http::admin_routes()
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Payment>::listed()]
    }
}
