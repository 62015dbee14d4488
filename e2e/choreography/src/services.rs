//! How each service's states are walked.

use contracts::{Event, EventType, Item, Milestone, Money, OrderPlaced, Sku};
use engine::Never;
use inventory::{AddStock, InventoryService, PutProduct};
use notification::{Mail, MailAnswer, NotificationService};
use order::{CancelOrder, OrderService, PlaceOrder};
use payment::{ChargeAnswer, PaymentService, RefundAnswer, RetryRefund};
use shipping::{Book, BookAnswer, ShippingService};
use store::{Record, Rows};

use crate::explore::{Explored, ORDER, example};

/// The rows without what only counts on.
fn fingerprint<R: Record + std::fmt::Debug>(rows: &Rows<R>) -> String {
    format!("{:?}", rows.iter().collect::<Vec<_>>())
}

fn sku() -> Sku {
    "mug".parse().expect("a SKU")
}

fn price() -> Money {
    Money { amount_minor: 1298, currency: contracts::Currency::EUR }
}

fn item(quantity: i64) -> Item {
    Item { sku: sku(), quantity }
}

impl Explored for PaymentService {
    fn beginnings() -> Vec<Self::World> {
        vec![payment::World { payments: Rows::absent([ORDER.into()]) }]
    }

    fn settle(world: &mut Self::World) {
        if let Some(payment) = world.payments.get_mut(&ORDER.into()) {
            payment.refund_attempts = 0;
        }
    }

    fn fingerprint(world: &Self::World) -> String {
        fingerprint(&world.payments)
    }

    fn commands() -> Vec<Self::Command> {
        vec![RetryRefund { order_id: ORDER.into() }]
    }

    fn outcomes(effect: &Self::Effect) -> Vec<Self::Outcome> {
        let (reference, reason) = ("r".to_owned(), "no".to_owned());
        match effect {
            payment::Effect::Charge(_) => {
                vec![ChargeAnswer::Captured { reference }, ChargeAnswer::Declined { reason }]
                    .into_iter()
                    .map(payment::Outcome::Charge)
                    .collect()
            }
            payment::Effect::Refund(_) => {
                vec![RefundAnswer::Refunded { reference }, RefundAnswer::Refused { reason }]
                    .into_iter()
                    .map(payment::Outcome::Refund)
                    .collect()
            }
        }
    }
}

impl Explored for ShippingService {
    fn beginnings() -> Vec<Self::World> {
        vec![shipping::World { shipments: Rows::absent([ORDER.into()]) }]
    }

    fn settle(_: &mut Self::World) {}

    fn fingerprint(world: &Self::World) -> String {
        fingerprint(&world.shipments)
    }

    fn commands() -> Vec<Never> {
        Vec::new()
    }

    fn outcomes(_: &Book) -> Vec<BookAnswer> {
        let (tracking, reason) = ("t".to_owned(), "no".to_owned());
        vec![BookAnswer::Booked { tracking }, BookAnswer::Refused { reason }]
    }
}

impl Explored for NotificationService {
    fn beginnings() -> Vec<Self::World> {
        vec![notification::World { notifications: Rows::absent([ORDER.into()]) }]
    }

    fn settle(_: &mut Self::World) {}

    fn fingerprint(world: &Self::World) -> String {
        fingerprint(&world.notifications)
    }

    fn commands() -> Vec<Never> {
        Vec::new()
    }

    fn outcomes(mail: &Mail) -> Vec<(Milestone, MailAnswer)> {
        let (message_id, reason) = ("m".to_owned(), "no".to_owned());
        let answers = [MailAnswer::Sent { message_id }, MailAnswer::Refused { reason }];
        answers.into_iter().map(|answer| (mail.milestone, answer)).collect()
    }
}

impl Explored for InventoryService {
    fn beginnings() -> Vec<Self::World> {
        let reservations = Rows::absent([ORDER.into()]);
        vec![inventory::World { reservations, products: Rows::absent([sku()]) }]
    }

    /// Pieces beyond what one order can take make no difference.
    fn settle(world: &mut Self::World) {
        if let Some(product) = world.products.get_mut(&sku()) {
            product.on_hand = product.on_hand.min(product.reserved + 1);
            product.stocked = 1;
            product.shipped = 0;
            product.version = 1;
        }
    }

    fn fingerprint(world: &Self::World) -> String {
        fingerprint(&world.reservations) + &fingerprint(&world.products)
    }

    fn commands() -> Vec<Self::Command> {
        vec![
            inventory::Command::PutProduct(PutProduct {
                sku: sku(),
                name: "Mug".into(),
                price: price(),
            }),
            inventory::Command::AddStock(AddStock { sku: sku(), quantity: 1 }),
        ]
    }

    fn outcomes(effect: &Never) -> Vec<Never> {
        match *effect {}
    }

    fn variants(event: Event) -> Vec<Event> {
        match event {
            Event::OrderPlaced(placed) => {
                vec![OrderPlaced { items: vec![item(1)], ..placed }.into()]
            }
            other => vec![other],
        }
    }
}

/// The customer of the one order. No order of this customer is open yet.
#[must_use]
pub fn customers() -> Rows<order::Customer> {
    Rows::absent([order::customer_id(&placed().customer.email)])
}

fn placed() -> OrderPlaced {
    let Event::OrderPlaced(example) = example(EventType::OrderPlaced) else {
        unreachable!("the example of OrderPlaced is one")
    };
    example
}

impl Explored for OrderService {
    fn beginnings() -> Vec<Self::World> {
        vec![order::World {
            orders: Rows::absent([ORDER.into()]),
            customers: customers(),
            products: Rows::absent([sku()]),
            ..order::World::default()
        }]
    }

    /// Every event is a new one: the timeline has not seen it. What a customer has ordered before makes
    /// no difference.
    fn settle(world: &mut Self::World) {
        world.said.clear();
        world.customers = customers();
        if let Some(order) = world.orders.get_mut(&ORDER.into()) {
            order.timeline.0.clear();
        }
    }

    fn fingerprint(world: &Self::World) -> String {
        fingerprint(&world.orders) + &fingerprint(&world.products)
    }

    fn commands() -> Vec<Self::Command> {
        let example = placed();
        vec![
            order::Command::Place(Box::new(PlaceOrder {
                order_id: ORDER.into(),
                customer: example.customer,
                items: vec![item(1)],
                shipping_address: example.shipping_address,
                payment: example.payment,
            })),
            order::Command::Cancel(CancelOrder { order_id: ORDER.into() }),
        ]
    }

    fn outcomes(effect: &Never) -> Vec<Never> {
        match *effect {}
    }

    fn variants(event: Event) -> Vec<Event> {
        match event {
            Event::ProductListed(listed) => {
                vec![contracts::ProductListed { sku: sku(), price: price(), ..listed }.into()]
            }
            other => vec![other],
        }
    }
}
