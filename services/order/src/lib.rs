//! The order service takes orders and follows them to their end. It coordinates no other service: it publishes what
//! was placed, records the events of the others in each order's timeline, and notices when an order has ended.

mod attention;
mod command;
mod domain;
mod http;
mod metrics;
mod on;
mod store;
mod undo;

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use async_trait::async_trait;
use contracts::{Event, EventType};
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use quintet::{
    App, Db, Figure, Input, Listed, Migrations, Never, NoEffects, Outside, Participant, Reaction,
    Service, StoreError, TableOf, Tx, Versions, What,
};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

pub use attention::{Attention, Side};
pub use command::{Command, Reply};
pub use domain::{Alarm, Customer, End, Entry, Line, Order, Product, Stage, Status, customer_id};
use http::MOST_PIECES;
pub use http::PriceList;
pub use metrics::Metrics;
pub use on::place_order::{PlaceOrder, Refusal, WrongLine};
pub use store::{Policy, World};
pub use undo::cancel_order::CancelOrder;

/// The order service.
#[derive(Debug, Clone, Default)]
pub struct OrderService {
    /// How long an order may take, and how much it may be.
    pub policy: Policy,
    /// Counts of placed and ended orders.
    pub metrics: Metrics,
    /// Where customers find all products: the refusal of an order for an unknown product names this address. Empty if
    /// customers cannot reach it.
    pub products_url: String,
    /// Whether this service has read all products.
    pub price_list: PriceList,
}

#[async_trait]
impl Participant for OrderService {
    const NAME: &'static str = "order";
    const CONSUMES: &'static [EventType] = &[
        EventType::ProductListed,
        EventType::StockReserved,
        EventType::StockRejected,
        EventType::StockReleased,
        EventType::PaymentCaptured,
        EventType::PaymentDeclined,
        EventType::PaymentRefunded,
        EventType::PaymentVoided,
        EventType::ShipmentDispatched,
        EventType::ShipmentFailed,
        EventType::ShipmentVoided,
        EventType::NotificationSent,
        EventType::NotificationFailed,
    ];

    type Contract = Event;
    type World = World;
    type Command = Command;
    type Reply = Reply;
    type Effect = Never;
    type Outcome = Never;
    type Alarm = Alarm;

    fn react(world: &mut World, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Event(Event::ProductListed(event)) => on::product_listed::react(world, event),
            What::Event(event) => {
                // A repeated event does nothing. The timeline also records events that come after the order's end.
                if world.log(input, event) {
                    on_event(world, event, out);
                }
            }
            What::Command(Command::Place(place)) => {
                on::place_order::react(world, place, input, out);
            }
            What::Command(Command::Cancel(cancel)) => {
                undo::cancel_order::react(world, *cancel, out);
            }
            What::Alarm(order, Alarm::FirstDeadline) => {
                undo::first_deadline::react(world, *order, out);
            }
            What::Alarm(order, Alarm::SecondDeadline) => {
                undo::second_deadline::react(world, *order);
            }
            What::Alarm(order, Alarm::PaymentDeadline) => {
                undo::payment_deadline::react(world, *order, input.at, out);
            }
            What::Outcome(_, never) => match *never {},
        }
    }

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<World, StoreError> {
        World::load(tx, inputs, self.policy).await
    }

    async fn save(&self, tx: &mut Tx, world: &World) -> Result<(), StoreError> {
        world.save(tx).await
    }

    fn committed(&self, world: &World, now: Timestamp) {
        self.metrics.committed(world, now);
    }
}

fn on_event(world: &mut World, event: &Event, out: &mut Out) {
    match event {
        Event::StockReserved(event) => on::stock_reserved::react(world, event),
        Event::PaymentCaptured(event) => on::payment_captured::react(world, event),
        Event::ShipmentDispatched(event) => on::shipment_dispatched::react(world, event, out),
        Event::StockRejected(event) => undo::stock_rejected::react(world, event, out),
        Event::StockReleased(event) => undo::stock_released::react(world, event, out),
        Event::PaymentDeclined(event) => undo::payment_declined::react(world, event, out),
        Event::PaymentRefunded(event) => undo::payment_refunded::react(world, event, out),
        Event::PaymentVoided(event) => undo::payment_voided::react(world, event, out),
        Event::ShipmentFailed(event) => undo::shipment_failed::react(world, event, out),
        Event::ShipmentVoided(event) => undo::shipment_voided::react(world, event, out),
        Event::NotificationSent(_) | Event::NotificationFailed(_) => on::notified::react(),
        _ => {}
    }
}

/// Whether customers may see this URL: it is an http(s) URL without a user and password.
fn is_public_url(text: &str) -> bool {
    let address = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    address.is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty() && !rest.contains('@'))
}

/// What the order service does in reaction to one input.
pub type Out = Reaction<OrderService>;

/// The settings that only the order service has.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// How long an order may take.
    pub deadlines: Deadlines,
    /// How much may be ordered.
    pub limits: Limits,
    /// Versions of published events.
    pub publish: Publish,
    /// Where customers find all products.
    pub products: Products,
}

/// See [`Config::deadlines`].
#[derive(Debug, Clone, Deserialize)]
pub struct Deadlines {
    /// The cancellation of an order that is not paid is requested after this time.
    #[serde(deserialize_with = "quintet::service::seconds::deserialize")]
    pub paid: Duration,
    /// The cancellation of an order that has not ended is requested after this time.
    #[serde(deserialize_with = "quintet::service::seconds::deserialize")]
    pub first: Duration,
    /// The order needs attention this long after the first deadline.
    #[serde(deserialize_with = "quintet::service::seconds::deserialize")]
    pub second: Duration,
}

/// See [`Config::limits`].
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Limits {
    /// The most pieces in a line.
    pub quantity: i64,
    /// The most open orders of a customer; 0 for no limit.
    pub open_orders: i64,
}

/// See [`Config::publish`].
#[derive(Debug, Clone, Deserialize)]
pub struct Publish {
    /// The version of `OrderPlaced`: 2, or 1 until every consumer understands version 2.
    pub order_placed: u32,
}

/// See [`Config::products`].
#[derive(Debug, Clone, Deserialize)]
pub struct Products {
    /// The address of inventory's list of products; empty if customers cannot reach it.
    pub url: String,
}

impl Service for OrderService {
    const CONFIG: &'static str = include_str!("../config.toml");
    const WRITABLE_BY_PAGES: &'static [&'static str] = &["/orders"];
    type Config = Config;

    fn open(config: &Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        let version = config.publish.order_placed;
        ensure!((1..=2).contains(&version), "publish.order_placed = {version}: must be 1 or 2");
        let products_url = config.products.url.clone();
        ensure!(
            products_url.is_empty() || is_public_url(&products_url),
            "products.url = {products_url:?}: must be empty or a URL that customers may see: \
             http:// or https:// and a host, without a user"
        );
        let Deadlines { paid, first, second } = config.deadlines.clone();
        for (name, deadline) in [("paid", paid), ("first", first), ("second", second)] {
            ensure!(
                !deadline.is_zero(),
                "deadlines.{name} must be more than 0: with 0s every order is past it at once"
            );
        }
        let Limits { quantity, open_orders } = config.limits;
        ensure!(
            (1..=MOST_PIECES).contains(&quantity),
            "limits.quantity = {quantity}: must be 1 to {MOST_PIECES}"
        );
        ensure!(
            open_orders >= 0,
            "limits.open_orders = {open_orders}: must be 0, for none, or more"
        );
        let policy = Policy { paid, first, second, quantity, open_orders };
        let order = Self { policy, products_url, ..Self::default() };
        Ok((order, Arc::new(NoEffects)))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        http::routes()
    }

    fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    async fn figures(db: &Db) -> Result<Vec<Figure>, StoreError> {
        attention::figures(db).await
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Order>::listed()]
    }

    fn versions(config: &Config) -> Versions<Event> {
        Versions::default().with(EventType::OrderPlaced, config.publish.order_placed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_zero_is_refused() {
        let hour = Duration::from_hours(1);
        let open = |paid, first, second| {
            let config = Config {
                deadlines: Deadlines { paid, first, second },
                limits: Limits { quantity: 1, open_orders: 0 },
                publish: Publish { order_placed: 2 },
                products: Products { url: String::new() },
            };
            OrderService::open(&config).map(drop).map_err(|error| error.to_string())
        };
        let zero = Duration::ZERO;
        assert_eq!(open(hour, hour, hour), Ok(()));
        for (refused, name) in [
            (open(zero, hour, hour), "deadlines.paid must"),
            (open(hour, zero, hour), "deadlines.first must"),
            (open(hour, hour, zero), "deadlines.second must"),
        ] {
            assert!(refused.is_err_and(|error| error.starts_with(name)), "{name}");
        }
    }

    #[test]
    fn the_products_url_is_one_that_customers_may_see() {
        for right in ["http://127.0.0.1:8081/products", "https://shop.example"] {
            assert!(is_public_url(right), "{right}");
        }
        for wrong in
            ["shop.example", "http://", "http:///products", "https://me:secret@shop.example"]
        {
            assert!(!is_public_url(wrong), "{wrong}");
        }
    }
}
