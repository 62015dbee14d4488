use std::sync::Arc;

use crate::Publisher;
use choreography::{ORDER, customers};
use contracts::{Event, OrderId};
use engine::{Participant, What};
use inventory::{InventoryService, Product};
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use quintet_test::{Described as _, react};
use shipping::ShippingService;
use store::Rows;
use uuid::Uuid;

use crate::{
    Scenario,
    bits::Bits,
    interner::Interner,
    part::{ABSENT, Part, React, ServicePart, alarm_number},
    script::{Script, When},
    state::Life,
};

/// The reactions of the services.
pub struct Reactions {
    /// Those of the order service.
    pub order: React<OrderService>,
    /// Those of the inventory service.
    pub inventory: React<InventoryService>,
    /// Those of the payment service.
    pub payment: React<PaymentService>,
    /// Those of the shipping service.
    pub shipping: React<ShippingService>,
    /// Those of the notification service.
    pub notification: React<NotificationService>,
}

/// The reactions that run in production.
impl Default for Reactions {
    fn default() -> Self {
        Self {
            order: OrderService::react,
            inventory: InventoryService::react,
            payment: PaymentService::react,
            shipping: ShippingService::react,
            notification: NotificationService::react,
        }
    }
}

/// The services that play one order's life.
pub(crate) struct Cast {
    pub(crate) script: Arc<Script>,
    parts: [Box<dyn Part>; 5],
    pub(crate) beginning: Life,
}

impl Cast {
    /// The cast of the nth order, which has just been placed.
    pub(crate) fn new(
        nth: usize,
        scenario: &Scenario,
        products: &Arc<Interner<Product>>,
        reactions: &Reactions,
    ) -> Self {
        let order = Uuid::from_u128(ORDER.as_u128() + nth as u128).into();
        let script = Arc::new(Script::new(order, scenario.clone()));
        let order_part = ServicePart::new(Publisher::Order, &script, products, reactions.order);
        let Placed { row, published, alarms } = place(order, &script);
        let rows = [order_part.begin(row), ABSENT, ABSENT, ABSENT, ABSENT];
        let (inventory, payment, shipping, notification) =
            (reactions.inventory, reactions.payment, reactions.shipping, reactions.notification);
        let parts: [Box<dyn Part>; 5] = [
            Box::new(order_part),
            Box::new(ServicePart::new(Publisher::Inventory, &script, products, inventory)),
            Box::new(ServicePart::new(Publisher::Payment, &script, products, payment)),
            Box::new(ServicePart::new(Publisher::Shipping, &script, products, shipping)),
            Box::new(ServicePart::new(Publisher::Notification, &script, products, notification)),
        ];
        Self { script, parts, beginning: Life::placed(rows, published, alarms) }
    }

    pub(crate) fn part(&self, service: Publisher) -> &dyn Part {
        self.parts[service as usize].as_ref()
    }
}

/// An accepted order.
struct Placed {
    row: order::Order,
    /// The deliveries of its event.
    published: When,
    /// The deadlines that are set.
    alarms: Bits,
}

fn place(order: OrderId, script: &Script) -> Placed {
    let (orders, products) = (Rows::absent([order]), Rows::absent([product(0).sku]));
    let customers = customers();
    let mut world = order::World { orders, customers, products, ..order::World::default() };
    react::<OrderService>(&mut world, What::Event(listed()));
    let command = OrderService::openings(order).remove(0);
    let out = react::<OrderService>(&mut world, What::Command(command));
    let mut published = When::default();
    for (id, event) in out.emitted() {
        script.publish(id, event, &mut published);
    }
    let mut alarms = Bits::default();
    let set = out.alarms_set().map(Into::<&'static str>::into);
    set.filter_map(alarm_number).for_each(|alarm| alarms.insert(alarm));
    let row = world.orders.get(&order).cloned().expect("an accepted order");
    Placed { row, published, alarms }
}

/// The product with this stock.
pub(crate) fn product(stock: i64) -> Product {
    let (mut world, _) = listing();
    for _ in 0..stock {
        let add = InventoryService::openings(ORDER.into()).remove(1);
        react::<InventoryService>(&mut world, What::Command(add));
    }
    world.products.iter().next().cloned().expect("a listed product")
}

/// The event that lists the product.
fn listed() -> Event {
    listing().1
}

fn listing() -> (inventory::World, Event) {
    let mut world = InventoryService::beginnings().remove(0);
    let put = InventoryService::openings(ORDER.into()).remove(0);
    let out = react::<InventoryService>(&mut world, What::Command(put));
    let event = out.events().next().cloned().expect("an event");
    (world, event)
}
