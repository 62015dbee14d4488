use contracts::{EventType, Publisher};

/// What is played, and how much of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, in the table.
    pub name: &'static str,
    /// How many orders are placed, each for one piece of the same product.
    pub orders: usize,
    /// How many pieces there are.
    pub stock: i64,
    /// Whether customers may cancel. Each may at any time.
    pub cancellations: bool,
    /// Whether deadlines pass. Each may pass at any time.
    pub deadlines: bool,
    /// How often the gateway refuses a refund, at most.
    pub refusals: usize,
    /// Whether an answer of the outside world may be lost after it has done what it was asked: then
    /// the same request goes out again.
    pub lost_answers: bool,
    /// Whether what concerns nobody else may happen at any time too: mails, and what order only
    /// shows. Else it happens at once.
    pub asides: bool,
}

impl Scenario {
    /// One order, and everything that can become of it.
    pub const ONE_ORDER: Self = Self {
        name: "one order",
        orders: 1,
        stock: 1,
        cancellations: true,
        deadlines: true,
        refusals: 1,
        lost_answers: true,
        asides: true,
    };

    /// Two orders, and stock for one of them.
    pub const TWO_ORDERS: Self = Self {
        name: "two orders, one piece",
        orders: 2,
        stock: 1,
        cancellations: true,
        deadlines: false,
        refusals: 0,
        lost_answers: false,
        asides: false,
    };

    /// One order for what is not there.
    pub const NO_STOCK: Self =
        Self { name: "one order, no stock", stock: 0, refusals: 0, ..Self::ONE_ORDER };

    /// All of them, the short ones first.
    pub const ALL: [Self; 3] = [Self::NO_STOCK, Self::ONE_ORDER, Self::TWO_ORDERS];

    /// Whether this is heard as soon as it is said.
    pub(crate) fn is_prompt(&self, to: Publisher, heard: EventType) -> bool {
        !self.asides && (to == Publisher::Notification || is_shown(to, heard))
    }

    /// Whether this service's requests are granted as soon as they are made.
    pub(crate) fn is_granted(&self, by: Publisher) -> bool {
        !self.asides && by == Publisher::Notification
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
