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

use crate::{Scenario, bits::Bits, interner::Interner};

/// The services, and the events that each of them consumes.
pub(crate) const SERVICES: [(Publisher, &[EventType]); 5] = [
    (Publisher::Order, OrderService::CONSUMES),
    (Publisher::Inventory, InventoryService::CONSUMES),
    (Publisher::Payment, PaymentService::CONSUMES),
    (Publisher::Shipping, ShippingService::CONSUMES),
    (Publisher::Notification, NotificationService::CONSUMES),
];

/// All events about one order, their deliveries, and all requests to the outside world for it. Grows while the
/// search runs.
pub(crate) struct Script {
    pub(crate) order: OrderId,
    scenario: Scenario,
    events: Interner<Arc<PublishedEvent>>,
    deliveries: Interner<Delivery>,
    requests: Interner<Request>,
}

/// An event that was published.
#[derive(Debug)]
pub(crate) struct PublishedEvent {
    pub(crate) id: EventId,
    pub(crate) event: Event,
}

/// An event on its way to a consumer.
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

/// Deliveries or requests, split into those that may happen at any later time and those that happen at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) later: Bits,
    pub(crate) now: Bits,
}

impl When {
    /// All of them.
    pub(crate) fn all(self) -> Bits {
        self.later.or(self.now)
    }

    fn add(&mut self, number: u16, now: bool) {
        if now { self.now.insert(number) } else { self.later.insert(number) }
    }
}

impl Script {
    pub(crate) fn new(order: OrderId, scenario: Scenario) -> Self {
        let (events, deliveries) = (Interner::default(), Interner::default());
        Self { order, scenario, events, deliveries, requests: Interner::default() }
    }

    /// Records an event, and adds its deliveries to `to`.
    pub(crate) fn publish(&self, id: EventId, event: &Event, to: &mut When) {
        let event_type = event.event_type();
        let event = self.events.number(Arc::new(PublishedEvent { id, event: event.clone() }));
        for (service, consumed) in SERVICES {
            if consumed.contains(&event_type) {
                let delivery = self.deliveries.number(Delivery { event, to: service });
                to.add(delivery, self.scenario.is_prompt(service, event_type));
            }
        }
    }

    /// Records a request, and adds it to `requested`.
    pub(crate) fn request_made(&self, request: Request, requested: &mut When) {
        let at_once = self.scenario.is_answered_at_once(request.by);
        requested.add(self.requests.number(request), at_once);
    }

    pub(crate) fn delivery(&self, number: u16) -> Delivery {
        self.deliveries.get(number)
    }

    pub(crate) fn event(&self, number: u16) -> Arc<PublishedEvent> {
        self.events.get(number)
    }

    pub(crate) fn request(&self, number: u16) -> Request {
        self.requests.get(number)
    }
}
