use crate::Publisher;
use contracts::EventType;
use event::EventType as _;

/// What is played, and how much of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, in the table.
    pub name: &'static str,
    /// How many orders are placed, each for one piece of the same product.
    pub orders: usize,
    /// How many pieces there are.
    pub stock: i64,
    /// How often the gateway refuses a refund, at most.
    pub refusals: usize,
    /// What else may happen, each at any time.
    pub freedoms: &'static [Freedom],
    /// Which service's database is lost at some time, if one is.
    pub restored: Option<Restored>,
}

/// A service whose database is as it was before the orders, and which hears everything again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The service.
    pub service: Publisher,
    /// The topics that it hears again first, before it rests and hears the others; none if it hears
    /// all of them at once.
    pub first: &'static [&'static str],
}

impl Restored {
    /// Whether an event of this type is heard again in this round: the first or the last.
    pub(crate) fn comes(&self, kind: EventType, round: u8) -> bool {
        round == 2 || self.first.is_empty() || self.first.contains(&kind.topic())
    }
}

/// Something that may happen at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// Customers cancel.
    Cancellations,
    /// Deadlines pass.
    Deadlines,
    /// An answer of the outside world is lost after it has done what it was asked: then the same
    /// request goes out again.
    LostAnswers,
    /// A provider refuses a request as malformed, so that it never arrives, and an operator says so.
    Held,
    /// What concerns nobody else: mails, and what order only shows. Without it, it happens at once.
    Asides,
}

use Freedom::{Asides, Cancellations, Deadlines, Held, LostAnswers};

impl Scenario {
    /// One order, and everything that can become of it.
    pub const ONE_ORDER: Self = Self {
        name: "one order",
        orders: 1,
        stock: 1,
        refusals: 1,
        freedoms: &[Cancellations, Deadlines, LostAnswers, Held, Asides],
        restored: None,
    };

    /// One order for what is not there.
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

    /// Notification forgets everything and hears it again, in any order.
    pub const NOTIFICATION_LOST: Self = Self {
        name: "notification restored",
        refusals: 0,
        freedoms: &[Cancellations, Asides],
        restored: Some(Restored { service: Publisher::Notification, first: &[] }),
        ..Self::ONE_ORDER
    };

    /// Inventory forgets everything and hears it again, what was ordered first.
    pub const INVENTORY_LOST: Self = Self {
        name: "inventory restored",
        refusals: 0,
        freedoms: &[Cancellations],
        restored: Some(Restored { service: Publisher::Inventory, first: &["orders"] }),
        ..Self::ONE_ORDER
    };

    /// All of them, the short ones first.
    pub const ALL: [Self; 5] = [
        Self::INVENTORY_LOST,
        Self::NO_STOCK,
        Self::ONE_ORDER,
        Self::NOTIFICATION_LOST,
        Self::TWO_ORDERS,
    ];

    /// Whether this may happen.
    pub(crate) fn has(&self, freedom: Freedom) -> bool {
        self.freedoms.contains(&freedom)
    }

    /// Whether this is heard as soon as it is said.
    pub(crate) fn is_prompt(&self, to: Publisher, heard: EventType) -> bool {
        // Whether order has heard it decides what the payment's deadline does.
        let tells = heard == EventType::PaymentCaptured && self.has(Deadlines);
        let aside = to == Publisher::Notification || (is_shown(to, heard) && !tells);
        !self.has(Asides) && aside
    }

    /// Whether this service's requests are granted as soon as they are made.
    pub(crate) fn is_granted(&self, by: Publisher) -> bool {
        !self.has(Asides) && by == Publisher::Notification
    }
}

/// Order reacts to it by showing it, and to nothing by whether it has.
fn is_shown(to: Publisher, heard: EventType) -> bool {
    let shown = [
        EventType::StockReserved,
        EventType::PaymentCaptured,
        EventType::NotificationSent,
        EventType::NotificationFailed,
    ];
    to == Publisher::Order && shown.contains(&heard)
}
