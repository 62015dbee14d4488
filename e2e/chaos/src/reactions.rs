use choreography::{Explored, explore};
use contracts::EventType;
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use shipping::ShippingService;

/// What a service does with one kind of input, as the service itself was seen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The service.
    pub service: &'static str,
    /// The input: an event or a command by its type, `*charge` for the answer to a charge,
    /// `@first_deadline` for an alarm.
    pub input: String,
    /// How it comes.
    pub kind: Kind,
    /// Whether it may emit events.
    pub emits: bool,
}

/// How an input comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From the broker.
    Event,
    /// Over HTTP.
    Command,
    /// From the outside world.
    Outcome,
    /// From a deadline.
    Alarm,
}

/// The reactions of all services: every state of each is walked, nothing is listed by hand.
#[must_use]
pub fn reactions() -> Vec<Reaction> {
    [
        of::<OrderService>(),
        of::<InventoryService>(),
        of::<PaymentService>(),
        of::<ShippingService>(),
        of::<NotificationService>(),
    ]
    .concat()
}

fn of<P: Explored>() -> Vec<Reaction> {
    let reaction = |(input, follows): (String, std::collections::BTreeSet<String>)| Reaction {
        service: P::NAME,
        kind: Kind::of(&input),
        emits: follows.iter().any(|what| !what.starts_with('*')),
        input,
    };
    explore::<P>().into_iter().map(reaction).collect()
}

impl Kind {
    fn of(input: &str) -> Self {
        match input.chars().next() {
            Some('*') => Self::Outcome,
            Some('@') => Self::Alarm,
            _ if EventType::ALL.iter().any(|event| event.as_str() == input) => Self::Event,
            _ => Self::Command,
        }
    }
}
