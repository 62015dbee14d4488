use crate::Publisher;
use contracts::EventType;
use event::EventType as _;

/// A scenario: which orders are played, and what may happen to them.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
    /// How many orders are placed, each for one piece of the same product.
    pub orders: usize,
    /// How many pieces are in stock.
    pub stock: i64,
    /// The most refunds that the gateway refuses.
    pub refusals: usize,
    /// What else may happen at any time.
    pub freedoms: &'static [Freedom],
    /// The service that loses its database at some time, if one does.
    pub restored: Option<Restored>,
}

/// A service whose database is restored to its state before the orders, and which then receives all events again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The service.
    pub service: Publisher,
    /// The topics that it receives again first. The other topics follow once it is at rest. If empty, it receives
    /// all topics at once.
    pub first: &'static [&'static str],
}

impl Restored {
    /// Whether events of this type come again in this round, which is 1 (first topics) or 2 (all).
    pub(crate) fn comes(&self, event_type: EventType, round: u8) -> bool {
        round == 2 || self.first.is_empty() || self.first.contains(&event_type.topic())
    }
}

/// Something that may happen at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// Customers cancel.
    Cancellations,
    /// Deadlines fire.
    Deadlines,
    /// An answer of the outside world is lost after it has carried out the request. Then the same request is made
    /// again.
    LostAnswers,
    /// A provider refuses a request as malformed, so that it never arrives, and an operator reports that.
    Held,
    /// Steps that affect no other service: mails, and events that the order service only shows. Without this
    /// freedom they happen at once.
    Asides,
}

use Freedom::{Asides, Cancellations, Deadlines, Held, LostAnswers};

impl Scenario {
    /// One order with every freedom.
    pub const ONE_ORDER: Self = Self {
        name: "one order",
        orders: 1,
        stock: 1,
        refusals: 1,
        freedoms: &[Cancellations, Deadlines, LostAnswers, Held, Asides],
        restored: None,
    };

    /// One order for a product that is out of stock.
    pub const NO_STOCK: Self =
        Self { name: "one order, no stock", stock: 0, refusals: 0, ..Self::ONE_ORDER };

    /// Two orders, and stock for one of them.
    pub const TWO_ORDERS: Self = Self {
        name: "two orders, one piece",
        orders: 2,
        stock: 1,
        refusals: 0,
        freedoms: &[Cancellations],
        restored: None,
    };

    /// The notification service loses its database and receives everything again, in any order.
    pub const NOTIFICATION_LOST: Self = Self {
        name: "notification restored",
        refusals: 0,
        freedoms: &[Cancellations, Asides],
        restored: Some(Restored { service: Publisher::Notification, first: &[] }),
        ..Self::ONE_ORDER
    };

    /// The inventory service loses its database and receives everything again, the topic `orders` first.
    pub const INVENTORY_LOST: Self = Self {
        name: "inventory restored",
        refusals: 0,
        freedoms: &[Cancellations],
        restored: Some(Restored { service: Publisher::Inventory, first: &["orders"] }),
        ..Self::ONE_ORDER
    };

    /// All scenarios, the short ones first.
    pub const ALL: [Self; 5] = [
        Self::INVENTORY_LOST,
        Self::NO_STOCK,
        Self::ONE_ORDER,
        Self::NOTIFICATION_LOST,
        Self::TWO_ORDERS,
    ];

    /// Whether the scenario has this freedom.
    pub(crate) fn has(&self, freedom: Freedom) -> bool {
        self.freedoms.contains(&freedom)
    }

    /// Whether an event of this type arrives as soon as it is published.
    pub(crate) fn is_prompt(&self, to: Publisher, event_type: EventType) -> bool {
        // The reaction to the payment deadline depends on whether the order service has received it.
        let decides = event_type == EventType::PaymentCaptured && self.has(Deadlines);
        let aside = to == Publisher::Notification || (is_shown(to, event_type) && !decides);
        !self.has(Asides) && aside
    }

    /// Whether this service's requests are answered as soon as they are made.
    pub(crate) fn is_answered_at_once(&self, by: Publisher) -> bool {
        !self.has(Asides) && by == Publisher::Notification
    }
}

/// Whether the order service only shows an event of this type: no later reaction depends on it.
fn is_shown(to: Publisher, event_type: EventType) -> bool {
    let shown = [
        EventType::StockReserved,
        EventType::PaymentCaptured,
        EventType::NotificationSent,
        EventType::NotificationFailed,
    ];
    to == Publisher::Order && shown.contains(&event_type)
}
