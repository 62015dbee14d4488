use std::sync::Arc;

use crate::Publisher;
use contracts::{Event, EventType, OrderId};
use engine::Participant;
use event::{Contract as _, EventId};
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use shipping::ShippingService;

use crate::{Scenario, bits::Bits, known::Known};

/// The services and what each of them hears.
pub(crate) const SERVICES: [(Publisher, &[EventType]); 5] = [
    (Publisher::Order, OrderService::CONSUMES),
    (Publisher::Inventory, InventoryService::CONSUMES),
    (Publisher::Payment, PaymentService::CONSUMES),
    (Publisher::Shipping, ShippingService::CONSUMES),
    (Publisher::Notification, NotificationService::CONSUMES),
];

/// Everything that is ever said about one order, to whom, and what is asked of the outside world for
/// it. Grows as the search goes on.
pub(crate) struct Script {
    pub(crate) order: OrderId,
    scenario: Scenario,
    events: Known<Arc<Said>>,
    deliveries: Known<Delivery>,
    requests: Known<Request>,
}

/// An event as it was said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) id: EventId,
    pub(crate) event: Event,
}

/// An event on its way to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) event: u16,
    pub(crate) to: Publisher,
}

/// A request to the outside world, by its number among those of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) by: Publisher,
    pub(crate) number: u16,
}

/// Deliveries or requests: what comes at any time later, and what happens at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) later: Bits,
    pub(crate) now: Bits,
}

impl When {
    fn add(&mut self, number: u16, now: bool) {
        if now { self.now.insert(number) } else { self.later.insert(number) }
    }
}

impl Script {
    pub(crate) fn new(order: OrderId, scenario: Scenario) -> Self {
        let (events, deliveries) = (Known::default(), Known::default());
        Self { order, scenario, events, deliveries, requests: Known::default() }
    }

    /// Takes note of an event; to whom it goes.
    pub(crate) fn say(&self, id: EventId, event: &Event, to: &mut When) {
        let kind = event.event_type();
        let event = self.events.number(Arc::new(Said { id, event: event.clone() }));
        for (service, heard) in SERVICES {
            if heard.contains(&kind) {
                let delivery = self.deliveries.number(Delivery { event, to: service });
                to.add(delivery, self.scenario.is_prompt(service, kind));
            }
        }
    }

    /// Takes note of a request.
    pub(crate) fn ask(&self, request: Request, asked: &mut When) {
        asked.add(self.requests.number(request), self.scenario.is_granted(request.by));
    }

    pub(crate) fn delivery(&self, number: u16) -> Delivery {
        self.deliveries.get(number)
    }

    pub(crate) fn event(&self, number: u16) -> Arc<Said> {
        self.events.get(number)
    }

    pub(crate) fn request(&self, number: u16) -> Request {
        self.requests.get(number)
    }
}
