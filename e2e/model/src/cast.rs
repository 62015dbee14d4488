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
    known::Known,
    script::{Script, When},
    stage::{ABSENT, Part, React, Stage, alarm_number},
    state::Life,
};

/// What the services do.
pub struct Reactions {
    /// Order's.
    pub order: React<OrderService>,
    /// Inventory's.
    pub inventory: React<InventoryService>,
    /// Payment's.
    pub payment: React<PaymentService>,
    /// Shipping's.
    pub shipping: React<ShippingService>,
    /// Notification's.
    pub notification: React<NotificationService>,
}

/// What they do in production.
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

/// Who plays one order's life.
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
        products: &Arc<Known<Product>>,
        reactions: &Reactions,
    ) -> Self {
        let order = Uuid::from_u128(ORDER.as_u128() + nth as u128).into();
        let script = Arc::new(Script::new(order, scenario.clone()));
        let stage = Stage::new(Publisher::Order, &script, products, reactions.order);
        let Placed { row, said, alarms } = place(order, &script);
        let rows = [stage.begin(row), ABSENT, ABSENT, ABSENT, ABSENT];
        let (inventory, payment, shipping, notification) =
            (reactions.inventory, reactions.payment, reactions.shipping, reactions.notification);
        let parts: [Box<dyn Part>; 5] = [
            Box::new(stage),
            Box::new(Stage::new(Publisher::Inventory, &script, products, inventory)),
            Box::new(Stage::new(Publisher::Payment, &script, products, payment)),
            Box::new(Stage::new(Publisher::Shipping, &script, products, shipping)),
            Box::new(Stage::new(Publisher::Notification, &script, products, notification)),
        ];
        Self { script, parts, beginning: Life::placed(rows, said, alarms) }
    }

    pub(crate) fn part(&self, service: Publisher) -> &dyn Part {
        self.parts[service as usize].as_ref()
    }
}

/// An order that was taken.
struct Placed {
    row: order::Order,
    /// The deliveries of its event.
    said: When,
    /// The deadlines that run.
    alarms: Bits,
}

fn place(order: OrderId, script: &Script) -> Placed {
    let (orders, products) = (Rows::absent([order]), Rows::absent([product(0).sku]));
    let customers = customers();
    let mut world = order::World { orders, customers, products, ..order::World::default() };
    react::<OrderService>(&mut world, What::Event(listed()));
    let command = OrderService::openings(order).remove(0);
    let out = react::<OrderService>(&mut world, What::Command(command));
    let mut said = When::default();
    for (id, event) in out.emitted() {
        script.say(id, event, &mut said);
    }
    let mut alarms = Bits::default();
    let set = out.alarms_set().map(Into::<&'static str>::into);
    set.filter_map(alarm_number).for_each(|alarm| alarms.insert(alarm));
    let row = world.orders.get(&order).cloned().expect("it was taken");
    Placed { row, said, alarms }
}

/// The product, when so many pieces have come in.
pub(crate) fn product(stock: i64) -> Product {
    let (mut world, _) = listing();
    for _ in 0..stock {
        let add = InventoryService::openings(ORDER.into()).remove(1);
        react::<InventoryService>(&mut world, What::Command(add));
    }
    world.products.iter().next().cloned().expect("it is listed")
}

/// What inventory says of it.
fn listed() -> Event {
    listing().1
}

fn listing() -> (inventory::World, Event) {
    let mut world = InventoryService::beginnings().remove(0);
    let put = InventoryService::openings(ORDER.into()).remove(0);
    let out = react::<InventoryService>(&mut world, What::Command(put));
    let event = out.events().next().cloned().expect("it is said");
    (world, event)
}
